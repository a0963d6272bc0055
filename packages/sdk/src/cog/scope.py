"""The running prediction, as the author's code sees it: its context and its metrics."""

from __future__ import annotations

import contextvars

from cog.metrics import Metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Scope:
    """One prediction's surroundings. `current_scope()` returns the running one."""

    __slots__ = ("context", "folder", "metrics", "trace")

    #: What the request's `context` said, text by name.
    context: Mapping[str, str]
    #: The prediction's values by name, as dotted paths; assign, read and delete like a dict.
    metrics: Metrics
    #: An empty folder that is removed after the prediction, or None outside of one.
    folder: str | None
    #: The headers that requests made for this prediction carry (`traceparent`, `tracestate`); often none.
    trace: Mapping[str, str]

    def __init__(
        self,
        metrics: Metrics,
        context: Mapping[str, str] | None = None,
        folder: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> None:
        self.metrics = metrics
        self.context = {} if context is None else context
        self.folder = folder
        self.trace = {} if trace is None else trace

    def record_metric(self, key: str, value: Any, mode: str = "replace") -> None:
        """Record a metric; see `cog.record_metric`."""
        self.metrics.record(key, value, mode)

    @property
    def items(self) -> tuple[Scope, ...]:
        """The predictions of a batch, in the order of its lists; of a single prediction itself."""
        return (self,)


class BatchScope(Scope):
    """The surroundings of a batch: what is recorded here is recorded for every prediction of it."""

    __slots__ = ("_items",)

    def __init__(self, items: tuple[Scope, ...]) -> None:
        """Stand for several predictions."""
        super().__init__(Metrics(self._record))
        self._items = items

    @property
    def items(self) -> tuple[Scope, ...]:
        """The predictions, in the order of the lists."""
        return self._items

    def _record(self, name: str, value: Any, mode: str) -> None:
        for item in self._items:
            item.metrics.record(name, value, mode)


#: The prediction of this context; set for each one.
_here: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("cog_scope", default=None)


class _Sole:
    """The one running prediction of a sync worker, so that threads of the author's own see it too."""

    __slots__ = ("scope",)

    def __init__(self) -> None:
        self.scope: Scope | None = None


sole = _Sole()


def enter(scope: Scope) -> None:
    """Make `scope` the current one of this context."""
    _here.set(scope)


def find_scope() -> Scope | None:
    """Return the running prediction's scope, or None outside of one."""
    return _here.get() or sole.scope


def current_scope() -> Scope:
    """Return the running prediction's scope; outside of one, a scope whose metrics go nowhere."""
    return find_scope() or Scope(Metrics(None))


def record_metric(key: str, value: Any, mode: str = "replace") -> None:
    """Record a metric of the running prediction under a dotted name.

    `mode` is "replace", "incr" (add a number) or "append" (to a list). None deletes it. Does nothing outside of a
    prediction. Raises ValueError or TypeError for a bad name, mode or a value of another type than before.
    """
    current_scope().metrics.record(key, value, mode)


def emit_metric(name: str, value: float) -> None:
    """Record a metric; the older name of `record_metric`."""
    record_metric(name, value)
