"""Our own client against the platform that really runs, in both of its ways."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from replicate import Client, FileOutput, ModelError, ReplicateError

from tests.live import LivePlatform

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network]


@pytest.fixture
def client(live_platform: LivePlatform) -> Iterator[Client]:
    """Give a client of the platform, closed afterwards."""
    client = Client(live_platform.token, base_url=live_platform.address, poll_interval=0.05)
    yield client
    client.close()


def test_run_by_name_and_by_version(live_platform: LivePlatform, client: Client) -> None:
    """`run` takes the model's name or one version of it."""
    assert client.run("tester/hello", {"text": "a"}) == "hello a"
    assert client.run(f"tester/hello:{live_platform.versions['hello']}", {"text": "b"}) == "hello b"


def test_files_in_and_out(client: Client) -> None:
    """A file goes in from an open file and comes out to be read, whether the platform held the request or not."""
    for wait in (True, False):
        output = client.run("tester/copy", {"file": io.BytesIO(b"abc")}, wait=wait)
        assert isinstance(output, FileOutput)
        assert output.read() == b"cba"


def test_stream_and_iterator(client: Client) -> None:
    """Text streams as events, and an iterator model's output can be read piece by piece."""
    assert "".join(str(event) for event in client.stream("tester/count", {"to": 3})) == "1 2 3 "
    assert list(client.run("tester/count", {"to": 3}, wait=False)) == ["1 ", "2 ", "3 "]


@pytest.mark.anyio
async def test_the_asynchronous_half(client: Client) -> None:
    """The same things work without blocking."""
    assert await client.async_run("tester/hello", {"text": "a"}) == "hello a"
    pieces = [str(event) async for event in client.async_stream("tester/count", {"to": 2})]
    assert "".join(pieces) == "1 2 "
    output = await client.async_run("tester/copy", {"file": io.BytesIO(b"abc")})
    assert await output.aread() == b"cba"
    await client.aclose()


def test_what_fails_says_so(client: Client) -> None:
    """A model that raises, a missing model and a bad input each raise with the reason."""
    with pytest.raises(ModelError, match="told to fail"):
        list(client.run("tester/count", {"to": 1, "fail": True}))
    with pytest.raises(ReplicateError) as missing:
        client.run("nobody/nothing", {})
    assert missing.value.status == 404
    with pytest.raises(ReplicateError) as bad:
        client.run("tester/hello", {"txet": "a"})
    assert bad.value.status == 422
    assert "text" in str(bad.value)


def test_cancel(client: Client) -> None:
    """A running prediction can be stopped."""
    prediction = client.predictions.create("", {"to": 600, "pause": 1}, model="tester/count")
    prediction.cancel()
    prediction.wait()
    assert prediction.status == "canceled"


def test_deployments_trainings_and_examples_of_ours(live_platform: LivePlatform, client: Client) -> None:
    """The rest of the official client's surface, and what it lacks."""
    versions = live_platform.versions
    deployment = client.deployments.create(
        name="own",
        model="tester/hello",
        version=versions["hello"],
        hardware="cpu",
        min_instances=0,
        max_instances=1,
    )
    assert client.run(deployment, {"text": "d"}) == "hello d"
    first, second = (
        client.deployments.predictions.create("tester/own", {"text": "e"}, idempotency_key="own-1")
        for _ in range(2)
    )
    assert first.id == second.id
    assert deployment.predictions.list().results[0].id == first.id
    first.wait()
    assert client.predictions.delete(first.id)
    assert client.deployments.delete("tester", "own")
    client.models.create("tester", "learned-by-own", visibility="private")
    training = client.trainings.create(
        f"tester/learn:{versions['learn']}", {"word": "own"}, "tester/learned-by-own"
    )
    training.wait()
    assert training.destination == "tester/learned-by-own"
    assert client.run(training.output["version"], {}) == "learned own"
    assert training.id in [each.id for each in client.trainings.list()]


def test_threads_and_event_loops_share_a_client(client: Client) -> None:
    """Sixteen threads, four of them with an event loop of their own, and two loops one after the other."""
    found: list[object] = []

    async def ask() -> None:
        found.append(await client.async_run("tester/hello", {"text": "a"}))
        await client.aclose()

    def blocking() -> None:
        found.append(client.run("tester/hello", {"text": "a"}))

    ways: list[Callable[[], None]] = [blocking] * 12 + [lambda: asyncio.run(ask())] * 4
    threads = [threading.Thread(target=way) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(ask())
    asyncio.run(ask())
    assert found == ["hello a"] * 18


def test_a_model_sees_the_file_whatever_it_is(client: Client, tmp_path: Path) -> None:
    """A path with a name that is not ASCII, one handle twice, a text file, an empty one, 90 MB with its progress."""
    path = tmp_path / "ü 文.txt"
    path.write_bytes("héé".encode())
    backwards = "héé".encode()[::-1]
    assert client.run("tester/copy", {"file": path}).read() == backwards
    with path.open("rb") as handle, path.open(encoding="utf-8") as text:
        for given in (handle, handle, text):
            assert client.run("tester/copy", {"file": given}).read() == backwards
    assert client.run("tester/copy", {"file": io.BytesIO()}).read() == b""
    big, told = 90 << 20, list[int]()
    with (tmp_path / "big").open("wb") as file:
        file.truncate(big)
    stored = client.files.create(tmp_path / "big", progress=lambda sent, _of: told.append(sent))
    assert (stored.size, told[0], told[-1], told == sorted(told)) == (big, 65_536, big, True)
    assert client.files.delete(stored.id)
