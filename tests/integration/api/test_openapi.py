"""The API's document: complete, true, and served to anybody.

That every answer is as documented is checked with every route and every caller in `test_authorization.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cogyard.testing.api import BASE, ApiPlatform
from cogyard.web.api import API, CAPABILITIES
from cogyard.web.openapi.operations import OPERATIONS

from tests.integration.api import documented

pytestmark = pytest.mark.anyio


def test_every_route_is_described_and_nothing_else() -> None:
    """A new route without an entry fails, and an entry without a route."""
    routes = {endpoint.operation for endpoint in (*API, *CAPABILITIES)}
    assert set(OPERATIONS) == routes
    assert set(documented.OPERATIONS) == routes


def test_every_reference_leads_somewhere() -> None:
    """And every component is used."""
    text = json.dumps(documented.DOCUMENT)
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(documented.DOCUMENT["components"]["schemas"])


def test_paths_and_parameters_fit() -> None:
    """Every part of an address is a parameter, and summaries are sentences of the handlers' own."""
    for path, methods in documented.DOCUMENT["paths"].items():
        parts = set(re.findall(r"\{(\w+)\}", path))
        for name, operation in methods.items():
            if name == "servers":
                continue
            assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == parts
            assert operation["summary"].endswith((".", ":"))


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/openapi.json"])
async def test_the_document_is_served_to_anybody(platform: ApiPlatform, path: str) -> None:
    """With this platform's address, and the same at both places."""
    async with platform.client(None) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert found["servers"] == [{"url": f"{BASE}/v1"}]
    assert found == json.loads(json.dumps(documented.DOCUMENT))
