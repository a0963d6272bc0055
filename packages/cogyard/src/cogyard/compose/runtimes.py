"""Which runtime instances get: the one that was named, or the most isolated one that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cogyard.errors import CogyardError
from cogyard.instances.runtime import Runtime

#: The most isolated first. In a sandbox a model is a user of its own without any power, and so is what starts it; a
#: container is made by a service that is root.
ORDER = ("sandbox", "docker", "process")


class RuntimeMissingError(CogyardError):
    """The runtime that was asked for does not work on this machine."""

    code = "runtime_missing"
    exit_status = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A runtime as far as it is known before it is made: why it can't be had here, or how to make it."""

    reason: str | None = None
    make: Callable[[], Runtime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The runtime that instances get, and why others were passed over."""

    name: str
    runtime: Runtime
    passed_over: Mapping[str, str]


def choose(wanted: str, offers: Mapping[str, Callable[[], Offer]]) -> Choice:
    """Choose a runtime by name or, with `auto`, the most isolated one. Each offer is a trial, made only when needed.

    Raises RuntimeMissingError when the one that was named can't be had.
    """
    passed_over: dict[str, str] = {}
    for name in ORDER if wanted == "auto" else (wanted,):
        offer = offers[name]()
        if offer.reason is None:
            return Choice(name=name, runtime=offer.make(), passed_over=passed_over)
        passed_over[name] = offer.reason
    raise RuntimeMissingError(
        f"The runtime {wanted} does not work here: {passed_over[wanted].rstrip('.?')}.",
        hint="`--runtime auto` takes the most isolated one that does.",
    )
