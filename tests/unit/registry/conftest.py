"""A registry over fakes, spoken to in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from cogyard.registry.app import create_registry
from cogyard.testing.blobs import MemoryBlobs, MemoryUploads
from cogyard.testing.registry import MemoryRepositories, People, RecordedPushes
from starlette.applications import Starlette
from starlette.routing import Mount

URL = "http://registry.test"
ALICE = httpx2.BasicAuth("alice", "cyd_alice")
BOB = httpx2.BasicAuth("bob", "bobbob")


def code(answer: httpx2.Response) -> str:
    """Return the protocol's code of a refusal, having checked its shape."""
    (error,) = answer.json()["errors"]
    assert error["message"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    return str(error["code"])


@dataclass
class Surroundings:
    """What stands behind the registry under test."""

    people: People = field(default_factory=People)
    pushes: RecordedPushes = field(default_factory=RecordedPushes)
    repositories: MemoryRepositories = field(default_factory=MemoryRepositories)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)


@pytest.fixture
def behind() -> Surroundings:
    """Alice and bob; alice has a public and a private model."""
    behind = Surroundings()
    for name in ("alice", "bob"):
        behind.people.add(name)
    behind.people.models = {"alice/public": True, "alice/private": False}
    return behind


@asynccontextmanager
async def speaking(
    behind: Surroundings, *, max_blob: int = 1 << 20, quota: int | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client without credentials to a registry with these limits."""
    registry = create_registry(
        blobs=behind.blobs,
        uploads=MemoryUploads(behind.blobs),
        repositories=behind.repositories,
        identity=behind.people,
        access=behind.people,
        pushes=behind.pushes,
        secret="secret",
        max_blob=max_blob,
        quota=quota,
    )
    app = Starlette(routes=[Mount("/", registry)])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


@pytest.fixture
async def client(behind: Surroundings) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client without credentials."""
    async with speaking(behind) as client:
        yield client
