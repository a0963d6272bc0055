"""Addresses without parameters are found in a table, and mean what they meant to the routes."""

from __future__ import annotations

from cogyard.web.api import API, whole_addresses
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route


async def _answer(_request: Request) -> Response:
    return Response()


def test_only_an_address_of_its_own_is_in_the_table() -> None:
    """One with parameters is not, nor one that an earlier route takes; methods are told apart."""
    routes = [
        Route("/files/{id}", _answer, methods=["DELETE"]),
        Route("/files/new", _answer, methods=["POST", "DELETE"]),
        Route("/files", _answer, methods=["GET"]),
        Route("/files", _answer, methods=["POST"]),
    ]
    found = dict(whole_addresses(routes))
    assert set(found) == {("POST", "/files/new"), ("GET", "/files"), ("HEAD", "/files"), ("POST", "/files")}
    assert found["POST", "/files"] is routes[3].app


def test_the_api_s_own_addresses_are_taken_by_their_routes() -> None:
    """Each entry is what going through all routes in their order would find."""
    routes = [Route(each.path, _answer, methods=[each.method], name=each.operation) for each in API]
    table = dict(whole_addresses(routes))
    assert ("POST", "/predictions") in table
    for (method, path), app in table.items():
        scope = {"type": "http", "path": path, "method": method, "headers": []}
        first = next(route for route in routes if route.matches(scope)[0] is Match.FULL)
        assert first.app is app, (method, path)
