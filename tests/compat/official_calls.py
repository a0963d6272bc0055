"""Note which of a client's operations a script calls: every public method of the given classes is one."""

import functools
import inspect

ITERATORS = ("__iter__", "__aiter__", "__call__", "__await__")


class Calls:
    """What can be called, and what was."""

    def __init__(self):
        self.all, self.called = set(), set()

    def watch(self, cls, title=None, *, iterators=False):
        """Watch the methods that a class defines itself."""
        for name, value in list(vars(cls).items()):
            if name.startswith("_") and not (iterators and name in ITERATORS):
                continue
            fixed = isinstance(value, staticmethod)
            if fixed or inspect.isfunction(value):
                found = self.noted(value.__func__ if fixed else value, f"{title or cls.__name__}.{name}")
                setattr(cls, name, staticmethod(found) if fixed else found)

    def noted(self, function, operation):
        """Return a function that notes that it was called."""
        self.all.add(operation)

        @functools.wraps(function)
        def call(*args, **kwargs):
            self.called.add(operation)
            return function(*args, **kwargs)

        return call

    def told(self):
        """Return what a test checks: how many there are, and which were left out."""
        return {"operations": len(self.all), "left out": sorted(self.all - self.called)}
