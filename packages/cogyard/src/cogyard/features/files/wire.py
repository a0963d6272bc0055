"""A file on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cogyard.domain.values import StoredFile
from cogyard.http.addresses import Addresses
from cogyard.http.moments import written

# Of what is kept until it is deleted: the contract has a moment here, and strict clients fail without one.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)


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
        "expires_at": written(file.expires_at or NEVER),
        "urls": {"get": addresses.api(f"/files/{file.id}")},
    }
