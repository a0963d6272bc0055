"""A model on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cogyard.domain.fileref import replaced
from cogyard.domain.values import Model, Prediction, Version
from cogyard.features.predictions.wire import example_json
from cogyard.features.versions.wire import version_json
from cogyard.http.addresses import Addresses

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg")


def model_json(
    model: Model, latest: Version | None, addresses: Addresses, example: Prediction | None = None
) -> dict[str, Any]:
    """Shape a model with its latest version and its default example."""
    shown = None if example is None else example_json(example, addresses)
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
        "cover_image_url": model.cover_image_url or (None if shown is None else _picture(shown)),
        "default_example": shown,
        "latest_version": None if latest is None else version_json(latest),
        "is_official": False,
    }


def _picture(example: Mapping[str, Any]) -> str | None:
    """Return the first picture of an example, of what it made before what it was given."""
    found: list[str] = []

    def note(text: str) -> str:
        path = text.partition("?")[0].lower()
        if path.startswith(("http://", "https://")) and path.endswith(_PICTURES):
            found.append(text)
        return text

    replaced([example["output"], example["input"]], note)
    return found[0] if found else None
