"""Requests and answers of the distribution protocol as values; flows yield the one and are sent the other."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from cogyard.oci.joined import Joined

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `url` is a path under the registry, or an address that the registry named."""

    method: str
    url: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes | Path | Joined = b""
    start: int = 0
    """Where in the file `body` the request's content begins."""
    stop: int | None = None
    """Where in the file `body` it ends; None is the file's end."""
    what: str = ""
    """What is being done, for messages."""
    refusals: bool = False
    """Whether the flow itself looks at answers of 400 and above."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


Flow = Generator[Call, Answer, T]
