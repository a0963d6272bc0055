"""Compress a tar into a gzip layer whose bytes depend on the tar alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from cogyard.oci.descriptor import LAYER_GZIP, Descriptor
from cogyard.oci.layer import LayerWriter
from cogyard.oci.layout import ImageStore

_CHUNK = 1 << 20


def pack(store: ImageStore, source: IO[bytes]) -> tuple[Descriptor, str]:
    """Keep a plain tar as a layer; return its descriptor and its diffID."""
    with store.writer() as blob:
        summary = LayerWriter(blob.file).copy(_chunks(source))
        blob.commit(summary.digest)
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=summary.digest, size=summary.size)
    return descriptor, summary.diff_id


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk
