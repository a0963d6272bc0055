"""Files and inputs, under the name of the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicate.files import FileEncodingStrategy, base64_encode_file, encode_input
from replicate.output import FileOutput, transform_output

if TYPE_CHECKING:
    from replicate.client import Client

__all__ = [
    "FileOutput",
    "async_encode_json",
    "base64_encode_file",
    "encode_json",
    "transform_output",
]


def encode_json(obj: Any, client: Client, file_encoding_strategy: FileEncodingStrategy | None = None) -> Any:
    """Return an input as JSON can carry it: its files are uploaded, or data URLs."""
    return client._drive(encode_input(obj, client.files, file_encoding_strategy))


async def async_encode_json(
    obj: Any, client: Client, file_encoding_strategy: FileEncodingStrategy | None = None
) -> Any:
    """Return an input as `encode_json` does, without blocking."""
    return await client._drive_async(encode_input(obj, client.files, file_encoding_strategy))
