"""Uploaded files, under the name of the official client."""

from __future__ import annotations

from replicate.files import File, FileEncodingStrategy, Files

__all__ = [
    "File",
    "FileEncodingStrategy",
    "Files",
]
