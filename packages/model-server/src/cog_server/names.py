"""File names that strangers chose, made harmless."""

from __future__ import annotations

import mimetypes
import re
from urllib.parse import unquote, urlsplit

_LIMIT = 120
"""Bytes of UTF-8: below every file system's limit, with room for a prefix."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")
_PREFERRED = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/mpeg": ".mp3",
    "text/plain": ".txt",
    "application/json": ".json",
    "application/octet-stream": ".bin",
}
_MEDIA_TYPES = {
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".jsonl": "application/jsonl",
    ".safetensors": "application/octet-stream",
    ".md": "text/markdown",
    ".glb": "model/gltf-binary",
}


def safe_name(text: str, default: str = "file") -> str:
    """Return one path component made of `text`: no separators, no control characters, not hidden, not too long."""
    name = text.replace("\\", "/").rsplit("/", 1)[-1]
    name = _UNSAFE.sub("_", name).strip().lstrip(".").strip()
    name = name.encode("utf-8", "ignore").decode("utf-8")
    if not name:
        name = default
    if len(name.encode()) > _LIMIT:
        stem, dot, suffix = name.rpartition(".")
        if not dot or len(suffix) > 16:
            stem, suffix = name, ""
        room = _LIMIT - len(suffix.encode()) - 1
        name = stem.encode()[:room].decode("utf-8", "ignore") + (f".{suffix}" if suffix else "")
    return name


def name_from_url(url: str, media_type: str | None = None) -> str:
    """Return a file name for what a URL names, with a suffix of its media type when it has none."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        path = ""
    name = safe_name(path, "input")
    if "." not in name:
        name += suffix_of(media_type)
    return name


def suffix_of(media_type: str | None) -> str:
    """Return the usual suffix of a media type (with its dot), or an empty string."""
    plain = (media_type or "").partition(";")[0].strip().lower()
    return _PREFERRED.get(plain) or mimetypes.guess_extension(plain) or ""


def media_type_of(name: str) -> str:
    """Return the media type that a file name's suffix stands for; octet-stream when unknown."""
    _, dot, suffix = name.rpartition(".")
    known = _MEDIA_TYPES.get(f".{suffix.lower()}") if dot else None
    return known or mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
