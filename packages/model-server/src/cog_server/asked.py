"""What is asked of the engine, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cog_server.inputs.prepare import FilePlace

CANCEL_GRACE = 5.0
"""Seconds a canceled prediction may take to end before the worker is killed."""
QUEUE = 100


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the operator set."""

    queue: int = QUEUE
    strict: bool = False
    slots: int | None = None
    cancel_grace: float = CANCEL_GRACE
    predict_timeout: float | None = None
    """Seconds that a prediction may run."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a prediction."""

    id: str
    own_id: bool = False
    """Whether the server made the id up."""
    value: Mapping[str, Any]
    input_raw: bytes | memoryview
    """The JSON of the input as the worker may get it, when there are no files in it."""
    shown_input: bytes | memoryview
    """The JSON of the input as anyone may see it."""
    places: list[FilePlace]
    context: dict[str, str] | None = None
    prefix: str | None = None
    created_at: str | None = None
    hold_folder: bool = False
