"""When a version may be deleted, as the hosted service has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Uses:
    """What a version is used for at a moment."""

    public: bool = False
    """Whether everybody may run it."""
    waits: bool = False
    """Whether predictions of it wait or run."""
    foreign: bool = False
    """Whether somebody else than its owner has run it."""
    deployment: str | None = None
    """A deployment that runs it."""
    trained: str | None = None
    """A model that has a version which a training of it may have made."""


def why_kept(model: str, uses: Uses) -> str | None:
    """Say why a version must stay, and what to do; None when it may go."""
    if uses.waits:
        return "Predictions of this version still wait or run; cancel them, or let them end."
    if uses.deployment is not None:
        return f"The deployment {uses.deployment} runs this version; let it run another."
    if uses.public:
        return (
            f"Only versions of private models can be deleted, and {model} is public. Make it private first."
        )
    if uses.foreign:
        return "Somebody else has run this version, and their predictions would go with it."
    if uses.trained is not None:
        return f"A training of this version has made a version of {uses.trained}; delete that first."
    return None
