"""The classes a predictor may inherit from. Inheriting is optional."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cog.scope import Scope


class _Base:
    """What both base classes offer."""

    # (*args, **kwargs) so that setup(self) and setup(self, weights) are both valid to type checkers.
    def setup(self, *_args: Any, **_options: Any) -> Any:
        """Load what every prediction needs; called once, before the first."""

    def teardown(self) -> Any:
        """Let go of what setup() took; called once, when the model is shut down."""

    def record_metric(self, key: str, value: Any, mode: str = "replace") -> None:
        """Record a metric of the running prediction; see `cog.record_metric`."""
        from cog.scope import record_metric

        record_metric(key, value, mode)

    def log(self, *messages: object, source: str = "stderr") -> None:
        """Print to the prediction's logs, as models written for Cog's first async releases do."""
        import sys

        print(*messages, file=sys.stdout if source == "stdout" else sys.stderr)

    @property
    def scope(self) -> Scope:
        """Return the running prediction's scope; see `cog.current_scope`."""
        from cog.scope import current_scope

        return current_scope()


class BasePredictor(_Base):
    """Inherit and define `predict(self, …) -> …`."""

    if TYPE_CHECKING:
        predict: Any


class BaseRunner(_Base):
    """Inherit and define `run(self, …) -> …`."""

    if TYPE_CHECKING:
        run: Any
