"""A version on the wire."""

from __future__ import annotations

from typing import Any

from cogyard.domain.cog_releases import told
from cogyard.domain.values import Version
from cogyard.http.moments import written


def version_json(version: Version) -> dict[str, Any]:
    """Shape a version; clients need `cog_version` and `openapi_schema` (wire gotcha 9)."""
    return {
        "id": version.id,
        "created_at": written(version.created_at),
        "cog_version": told(version.cog_version),
        "openapi_schema": version.openapi_schema,
    }
