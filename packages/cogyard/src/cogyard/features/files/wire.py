"""A file on the wire."""

from __future__ import annotations

from typing import Any

from cogyard.domain.values import StoredFile
from cogyard.http.addresses import Addresses
from cogyard.http.moments import written


def file_json(file: StoredFile, addresses: Addresses) -> dict[str, Any]:
    """Shape a file; clients need name, etag, checksums and metadata (wire gotcha 7)."""
    return {
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "etag": file.md5,
        "checksums": {"sha256": file.sha256, "md5": file.md5},
        "metadata": file.metadata,
        "created_at": written(file.created_at),
        "expires_at": written(file.expires_at),
        "urls": {"get": addresses.api(f"/files/{file.id}")},
    }
