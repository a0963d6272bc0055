"""The way of a push to a registry that really listens: asked before, used after, and left as it was found."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from cogyard.image.sender import Sender
from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.errors import RegistryDeniedError, RegistryFailedError, RegistryUnreachableError
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference

from tests.integration.oci.registries import put_image
from tests.integration.registry.conftest import Running, registry

__all__ = ["registry"]


def sender(
    registry: Running,
    name: str,
    network: httpx2.AsyncBaseTransport | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sender:
    """Return alice's way to a repository of the registry."""
    me = Credential(username="alice", password="cyd_alice")
    target = Reference.parse(f"{registry.host}/{name}")
    return Sender(
        target, lambda: RegistryClient(registry.host, credential=me, transport=network, sleep=sleep)
    )


def uploads(registry: Running) -> list[Path]:
    """Return the uploads that are open at the registry."""
    return [*(registry.behind.folder / "blobs" / "uploads").iterdir()]


def threads() -> set[str]:
    """Return the names of this process's threads."""
    return {each.name for each in threading.enumerate()}


def test_what_was_allowed_is_sent(registry: Running, tmp_path: Path) -> None:
    """By the same connection; afterwards neither a thread nor an open upload is left."""
    store = ImageStore(tmp_path / "images")
    image = put_image(store)
    with sender(registry, "alice/model") as way:
        way.allowed()
        pushed = way.send(store, Reference.parse("hello"))
    assert pushed.digest == image.descriptor.digest
    assert [each.digest for each in registry.pushes.seen] == [pushed.digest]
    assert uploads(registry) == []
    assert "sender" not in threads()


class Listening(httpx2.AsyncHTTPTransport):
    """The network, which tells when somebody has asked for a manifest; `broken` breaks that question off."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.broken = broken

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry a request."""
        if request.method == "GET" and "/manifests/" in request.url.path:
            self.asked.set()
            if self.broken:
                raise httpx2.ReadError("broken off")
        return await super().handle_async_request(request)


def test_what_the_name_means_is_asked_during_the_build(registry: Running, tmp_path: Path) -> None:
    """When the build is done, it is known which blobs are there: a second push of the same image sends none."""
    store = ImageStore(tmp_path / "images")
    put_image(store)
    with sender(registry, "alice/model") as way:
        way.send(store, Reference.parse("hello"))
    network = Listening()
    with sender(registry, "alice/model", network) as way:
        assert network.asked.wait(20)
        assert way.send(store, Reference.parse("hello")).uploaded == 0


def test_a_question_that_broke_off_is_told_by_the_push(
    registry: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And by nothing else: a build that failed first has its own error alone."""
    store = ImageStore(tmp_path / "images")
    put_image(store)

    async def at_once(_: float) -> None: ...

    def failing(network: Listening) -> None:
        with sender(registry, "alice/model", network, at_once) as way:
            assert network.asked.wait(20)
            way.allowed()
            raise KeyboardInterrupt

    with sender(registry, "alice/model", Listening(broken=True), at_once) as way:
        way.allowed()
        with pytest.raises(RegistryFailedError, match="broken off"):
            way.send(store, Reference.parse("hello"))
    with pytest.raises(KeyboardInterrupt):
        failing(Listening(broken=True))
    gc.collect()
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []
    assert uploads(registry) == []


def test_a_refusal_comes_before_any_work(registry: Running, tmp_path: Path) -> None:
    """And again from whoever sends all the same."""
    store = ImageStore(tmp_path / "images")
    put_image(store)
    with sender(registry, "bob/model") as way:
        with pytest.raises(RegistryDeniedError):
            way.allowed()
        with pytest.raises(RegistryDeniedError):
            way.send(store, Reference.parse("hello"))
    assert "sender" not in threads()


def test_a_build_that_fails_leaves_no_upload(registry: Running) -> None:
    """The block's own error comes through; what the question opened is taken back."""

    def interrupted() -> None:
        with sender(registry, "alice/model") as way:
            way.allowed()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert uploads(registry) == []
    assert "sender" not in threads()


def test_an_end_while_the_question_is_under_way(registry: Running) -> None:
    """Ctrl-C does not wait for a registry that does not answer."""
    target = Reference.parse("127.0.0.1:1/alice/model")

    async def never(_: float) -> None:
        forever.set()
        await asyncio.Event().wait()

    forever = threading.Event()

    def interrupted() -> None:
        with Sender(target, lambda: RegistryClient(target.host, sleep=never)):
            assert forever.wait(20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with Sender(target) as way, pytest.raises(RegistryUnreachableError):
        way.allowed()
    assert "sender" not in threads()
