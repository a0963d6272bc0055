"""The reference names every operation with its method and address."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.http.endpoints import Endpoint
from cogyard.web.api import API, CAPABILITIES

PAGE = (Path(__file__).parents[3] / "docs/reference/http-api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("endpoint", [*API, *CAPABILITIES], ids=lambda endpoint: endpoint.operation)
def test_every_operation_has_a_heading_and_its_address(endpoint: Endpoint) -> None:
    """Whoever reads the page knows all there is."""
    _, heading, section = PAGE.partition(f"\n### {endpoint.operation}\n")
    assert heading
    assert f"{endpoint.method} {endpoint.path}" in section.partition("\n### ")[0]


def test_no_two_endpoints_are_the_same() -> None:
    """An operation has one address, an address one operation a method."""
    endpoints = (*API, *CAPABILITIES)
    assert len({endpoint.operation for endpoint in endpoints}) == len(endpoints)
    assert len({(endpoint.method, endpoint.path) for endpoint in endpoints}) == len(endpoints)
