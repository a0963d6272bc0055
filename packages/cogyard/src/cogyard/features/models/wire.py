"""A model on the wire."""

from __future__ import annotations

from typing import Any

from cogyard.domain.values import Model, Version
from cogyard.features.versions.wire import version_json
from cogyard.http.addresses import Addresses


def model_json(model: Model, latest: Version | None, addresses: Addresses) -> dict[str, Any]:
    """Shape a model with its latest version."""
    return {
        "url": addresses.web(f"/{model.path}"),
        "owner": model.owner,
        "name": model.name,
        "description": model.description,
        "visibility": model.visibility.value,
        "github_url": model.github_url,
        "paper_url": model.paper_url,
        "license_url": model.license_url,
        "run_count": model.run_count,
        "cover_image_url": model.cover_image_url,
        "default_example": None,
        "latest_version": None if latest is None else version_json(latest),
        "is_official": False,
    }
