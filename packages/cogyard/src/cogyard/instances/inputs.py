"""Give the model server addresses for the platform's own files, and a place to put what it makes.

Stored inputs name our files by reference; only an instance knows how its model server reaches the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cogyard.domain.fileref import presented


def resolve_files(inputs: Mapping[str, Any], base: str) -> Any:
    """Replace each reference to a file of ours by its address below `base`, such as `http://127.0.0.1:8000`."""
    return presented(dict(inputs), lambda ref: f"{base}/delivery/{ref.token}/{quote(ref.name)}")


def output_prefix(base: str, lease_token: str) -> str:
    """Say where the model server sends the files it makes while it holds this lease."""
    return f"{base}/internal/outputs/{lease_token}/"
