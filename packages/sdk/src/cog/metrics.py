"""One prediction's metrics: names, modes and types are checked here, then each change is told to whoever listens."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Listener = Callable[[str, Any, str], None]

MODES = ("replace", "incr", "append")
LONGEST_NAME = 128
MOST_SEGMENTS = 4


class Metrics:
    """A mapping of dotted names to JSON values that reports every change."""

    __slots__ = ("_listener", "_values")

    def __init__(self, listener: Listener | None) -> None:
        """Report changes to `listener(name, value, mode)`; None means that they go nowhere."""
        self._listener = listener
        self._values: dict[str, Any] = {}

    def record(self, key: str, value: Any, mode: str = "replace") -> None:
        """Change one metric; see `cog.record_metric`."""
        check_name(key)
        if mode not in MODES:
            raise ValueError(f"metric {key!r}: mode {mode!r} is not one of {', '.join(MODES)}")
        if self._listener is None:
            return
        if value is None:
            mode = "replace"
        after = _change(key, self._values.get(key), value, mode)
        self._listener(key, value, mode)  # first: it refuses what can't be sent
        if after is None:
            self._values.pop(key, None)
        else:
            self._values[key] = after

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.record(key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self._values:
            raise KeyError(key)
        self.record(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a metric's value, or `default`."""
        return self._values.get(key, default)


def check_name(name: str) -> None:
    """Raise ValueError unless `name` is a dotted path of words that no one else uses."""
    if not name:
        raise ValueError(f"a metric's name is a text, not {name!r}")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"metric name of {len(name)} characters; at most {LONGEST_NAME} are allowed")
    if name == "predict_time" or name.startswith("cog."):
        raise ValueError(f"metric name {name!r} is used by the server itself; choose another")
    segments = name.split(".")
    if len(segments) > MOST_SEGMENTS:
        raise ValueError(
            f"metric name {name!r} has {len(segments)} parts; at most {MOST_SEGMENTS} are allowed"
        )
    for segment in segments:
        plain = segment.replace("_", "a")
        good = segment.isascii() and plain.isalnum() and segment[0].isalpha() and segment[-1] != "_"
        if not good or "__" in segment:
            raise ValueError(
                f"metric name {name!r}: each part starts with a letter, ends with a letter or digit and holds only "
                "letters, digits and single underscores"
            )


def _change(key: str, before: Any, value: Any, mode: str) -> Any:
    """Return a metric's value after a change. Raises TypeError where the two don't go together."""
    if mode == "incr":
        return _sum(key, before, value)
    if mode == "append":
        if before is not None and not isinstance(before, list):
            raise TypeError(f"metric {key!r} is {_kind(before)}, so nothing can be appended to it")
        return [*(before or ()), value]
    if value is not None and before is not None and _kind(before) != _kind(value):
        raise TypeError(f"metric {key!r} is {_kind(before)} and can't become {_kind(value)}; delete it first")
    return value


def _sum(key: str, before: Any, value: Any) -> Any:
    for number in (value, before):
        if isinstance(number, bool) or not isinstance(number, (int, float, type(None))):
            raise TypeError(f"metric {key!r}: only numbers can be added up, not {_kind(number)}")
    return value if before is None else before + value


def _kind(value: Any) -> str:
    """Return the JSON kind of `value`: whole numbers and fractions are one."""
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, (list, tuple)) else "an object"
