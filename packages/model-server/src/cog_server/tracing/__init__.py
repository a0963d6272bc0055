"""Traces of predictions: what a prediction hands on to webhooks and to the model, and, when asked, spans.

A prediction has a `Trace` when its request was part of one, or when the operator wants spans; most have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cog_server.origin import Origin

if TYPE_CHECKING:
    from cog_server.prediction import Prediction


class Trace(Protocol):
    """The trace that one prediction is part of."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What requests about the prediction carry, its webhooks for one."""
        ...

    def runs(self) -> Mapping[str, str]:
        """Learn that the model begins; return what the model's own spans and requests are to carry."""
        ...

    def over(self, prediction: Prediction) -> None:
        """Learn that the prediction is over."""
        ...


class Tracer(Protocol):
    """Where predictions get their traces from."""

    def accept(self, origin: Origin, id: str, *, training: bool) -> Trace | None:
        """Return the trace of a new prediction, or None when it has none."""
        ...

    def close(self) -> None:
        """Send what is not sent yet."""
        ...


@dataclass(frozen=True)
class Passed:
    """A trace that passes through: nothing is added to it here."""

    headers: Mapping[str, str]

    def runs(self) -> Mapping[str, str]:
        """Return the same for the model."""
        return self.headers

    def over(self, prediction: Prediction) -> None:
        """Take no notice."""


class Passing:
    """Pass on the traces that requests bring, and make none."""

    def accept(self, origin: Origin, id: str, *, training: bool) -> Trace | None:  # noqa: ARG002 - the port's signature
        """Return the request's own trace."""
        return Passed(origin.trace) if origin.trace else None

    def close(self) -> None:
        """Nothing is kept."""
