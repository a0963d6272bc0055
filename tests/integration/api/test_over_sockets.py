"""What only a real server shows: frames that leave at once, watchers that go away, methods that others refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from cogyard.compose.speaking import Speaking
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio


class Hasty(Speaking):
    """Looks at once for what takes for ever."""

    patience = 0.05


@asynccontextmanager
async def served(
    platform: ApiPlatform, speaking: type[Speaking] = Speaking
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve the platform on a free port, and return a client of its owner."""
    server = uvicorn.Server(
        uvicorn.Config(platform.app, port=0, http=speaking, ws="none", log_level="warning", access_log=False)
    )
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {platform.tokens['owner']}"}
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20
        ) as client:
            yield client
    finally:
        server.should_exit = True
        await task


async def test_chunks_leave_at_once_and_a_watcher_may_go_away(platform: ApiPlatform) -> None:
    """Each chunk arrives before the next is made; after the watcher has gone nothing remembers it."""
    predictions, queue = platform.services.predictions, platform.services.predictions.queue
    async with served(platform) as client:
        body = {"version": platform.version.id, "input": {"text": "x"}}
        created = (await client.post("/v1/predictions", json=body)).json()
        claim = await platform.instance().claim()
        async with client.stream("GET", created["urls"]["stream"]) as watching:
            lines = watching.aiter_lines()
            for number in range(3):
                await queue.progress(claim.prediction.id, claim.lease_token, outputs=[f"chunk {number}"])
                async with asyncio.timeout(30):
                    while await anext(lines) != f"data: chunk {number}":
                        pass
            topic = predictions.queue.live.topics[created["id"]]
            assert topic.watchers == 1
        async with asyncio.timeout(30):
            while topic.watchers:
                await queue.progress(claim.prediction.id, claim.lease_token, outputs=["more"])
                await asyncio.sleep(0.01)


async def test_the_method_query_gets_through(platform: ApiPlatform) -> None:
    """The server's parser knows it (wire gotcha 12)."""
    async with served(platform) as client:
        answer = await client.request("QUERY", "/v1/models", content='"echo"')
        assert answer.json()["results"][0]["name"] == "echo"


async def test_a_waiting_client_is_answered_when_the_model_is_done(platform: ApiPlatform) -> None:
    """Many at once over one model, each with its own answer."""
    async with served(platform) as client, platform.instance().always(lambda given: given["text"]):

        async def ask(text: str) -> str:
            answer = await client.post(
                "/v1/predictions",
                json={"version": platform.version.id, "input": {"text": text}},
                headers={"Prefer": "wait"},
            )
            return str(answer.json()["output"])

        texts = [str(n) for n in range(30)]
        assert await asyncio.gather(*map(ask, texts)) == texts


async def test_an_offer_to_upgrade_loses_no_body(
    platform: ApiPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """Java's client and `curl --http2` offer HTTP/2 with every request: theirs are answered, and none is logged."""
    offer = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA",
    }
    async with served(platform) as client:
        body = {"version": platform.version.id, "input": {"text": "x"}}
        for _ in range(2):
            created = await client.post("/v1/predictions", json=body, headers=offer)
            assert (created.status_code, created.json()["input"]) == (201, {"text": "x"})
    assert "WebSocket" not in caplog.text


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /v1/predictions HTTP/1.1\r\nHost: x\r\n",
        b"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_never_ends_is_hung_up_on(platform: ApiPlatform, begun: bytes) -> None:
    """Whoever keeps connections open with half a request keeps nobody out; who waits for an answer gets it."""
    async with served(platform, Hasty) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(begun)
        body = {"version": platform.version.id, "input": {"text": "x"}}
        held = client.post("/v1/predictions", json=body, headers={"Prefer": "wait=1"})
        async with asyncio.timeout(30):
            _, answer = await asyncio.gather(reader.read(), held)
        assert answer.status_code == 202
        writer.close()
