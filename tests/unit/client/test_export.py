"""The export of an account, through the client."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from replicate.errors import ReplicateError

from tests.unit.client.test_client import client_of

_TAR = b"a" * 100_000


def _answer(request: httpx2.Request) -> httpx2.Response:
    assert (request.method, request.url.path) == ("GET", "/v1/account/export")
    assert request.headers["authorization"].startswith("Bearer ")
    content = _TAR if request.url.params["images"] == "true" else b"no images"
    return httpx2.Response(200, content=content)


def test_an_export_comes_in_pieces() -> None:
    """Whole in the end, and images only when they are asked for."""
    accounts = client_of(_answer).accounts
    assert b"".join(accounts.export(images=True)) == _TAR
    assert b"".join(accounts.export()) == b"no images"


def test_an_export_comes_in_pieces_without_blocking() -> None:
    """The same, asynchronously."""

    async def read() -> bytes:
        return b"".join([piece async for piece in client_of(_answer).accounts.async_export(images=True)])

    assert asyncio.run(read()) == _TAR


def test_a_refused_export_says_why() -> None:
    """What the platform said is the error's detail."""
    problem = {"title": "Too many requests", "detail": "on its way already", "status": 429}
    accounts = client_of(lambda _request: httpx2.Response(429, json=problem)).accounts
    with pytest.raises(ReplicateError, match="on its way already"):
        next(accounts.export())
