"""Who asks whom: tokens, headers, threads, event loops and forks."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from replicate import Client, FileOutput, ReplicateError
from replicate._flow import Call
from replicate.client import LONGEST_SILENCE

from tests.unit.client.test_client import BASE, client_of


def heard(asked: Client, url: str = f"{BASE}/x") -> httpx2.Headers:
    """Return the headers with which a client asks for a file."""
    said = FileOutput(url, asked).read().decode()
    return httpx2.Headers([line.partition(": ")[::2] for line in said.splitlines()])


def echo(request: httpx2.Request) -> httpx2.Response:
    """Answer with the request's headers."""
    return httpx2.Response(200, text="\n".join(f"{name}: {value}" for name, value in request.headers.items()))


def test_headers_of_ones_own_go_before_ours() -> None:
    """A User-Agent and an Authorization, however they are written; other hosts hear neither them nor the token."""
    client = client_of(
        echo, headers={"user-agent": "mine/1", "AUTHORIZATION": "Basic x", "Cogyard-Account": "acme"}
    )
    said = heard(client)
    assert (said["user-agent"], said["authorization"], said["cogyard-account"]) == (
        "mine/1",
        "Basic x",
        "acme",
    )
    elsewhere = heard(client, "http://elsewhere.test/x")
    assert "authorization" not in elsewhere
    assert "cogyard-account" not in elsewhere
    assert heard(client_of(echo))["user-agent"].startswith("cogyard-client/")


def test_a_model_asks_as_who_asked_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token in the running prediction's context comes before the environment's, as in the official client."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "environment")
    transport = httpx2.MockTransport(echo)
    client = Client(base_url=BASE, transport=transport)
    assert heard(client)["authorization"] == "Bearer environment"
    scope = SimpleNamespace(context={"replicate_api_token": "caller's"})
    monkeypatch.setitem(sys.modules, "cog", SimpleNamespace(current_scope=lambda: scope))
    assert heard(client)["authorization"] == "Bearer caller's"
    client.api_token = "set later"
    assert heard(client)["authorization"] == "Bearer set later"
    client.api_token = None
    assert heard(Client("own", base_url=BASE, transport=transport))["authorization"] == "Bearer own"
    monkeypatch.setitem(sys.modules, "cog", SimpleNamespace(current_scope=lambda: None))
    assert heard(client)["authorization"] == "Bearer environment"


def test_httpx_options_reach_the_connections() -> None:
    """Hooks, query parameters and limits of time, as `Client(...)` of the official client takes them."""
    seen: list[Any] = []
    client = client_of(
        echo,
        event_hooks={"request": [lambda request: seen.append(request.url)]},
        params={"a": "b"},
        timeout=7,
    )
    FileOutput(f"{BASE}/x", client).read()
    assert str(seen[0]) == f"{BASE}/x?a=b"
    assert client._timeout.as_dict() == {"connect": 7, "read": 7, "write": 7, "pool": 7}
    with pytest.raises(TypeError, match="nonsense"):
        FileOutput(f"{BASE}/x", client_of(echo, nonsense=1)).read()


def test_silences_are_bounded() -> None:
    """A stream that says nothing is taken up anew; an answer that is waited for has its own time."""
    client = Client("token", base_url=BASE, timeout=7)
    assert client.request(Call("GET", "/x"), lasting=True)["timeout"].read == LONGEST_SILENCE
    assert client.request(Call("GET", "/x", read_timeout=65))["timeout"].as_dict()["read"] == 65
    assert client.request(Call("GET", "/x"))["timeout"].read == 7


def test_every_event_loop_has_connections_of_its_own() -> None:
    """One after the other, or at once in several threads."""
    client = client_of(echo)
    pools: list[httpx2.AsyncClient] = []

    async def ask() -> None:
        pools.append(client._connections.asynchronous())
        await FileOutput(f"{BASE}/x", client).aread()
        assert client._connections.asynchronous() is pools[-1]
        await client.aclose()

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(ask())
    assert len({id(pool) for pool in pools}) == 4


def test_a_fork_shares_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's requests do not go out on the parent's sockets."""
    connections = client_of(echo)._connections
    parents = connections.blocking()
    assert connections.blocking() is parents
    monkeypatch.setattr(os, "getpid", lambda: -1)  # a fork has another number, and else is the same
    assert connections.blocking() is not parents


def test_a_client_closes_at_the_end_of_a_block() -> None:
    """In both ways; it can be used again, with new connections."""
    with client_of(echo) as client:
        pool = client._connections.blocking()
    assert pool.is_closed
    assert not client._connections.blocking().is_closed
    client.close()


def test_without_an_address_every_way_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterators too, at the first step."""
    monkeypatch.delenv("REPLICATE_BASE_URL", raising=False)
    with pytest.raises(ReplicateError, match="REPLICATE_BASE_URL"):
        next(iter(Client().stream("me/it", {})))
