"""Watching a prediction: live, late, again after a break, and after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest
from cogyard.domain.retry import Recovery
from cogyard.instances.work import Outcome
from cogyard.store.predictions import SqlPredictions
from cogyard.testing.api import BASE, ApiPlatform, add_version

pytestmark = pytest.mark.anyio

FILES_SCHEMA: dict[str, Any] = {
    "components": {
        "schemas": {
            "Input": {"type": "object", "properties": {}},
            "Output": {"type": "array", "items": {"type": "string", "format": "uri"}},
        }
    }
}


def events_of(text: str) -> list[tuple[str, str, str]]:
    """Read (event, id, data) of a stream as a client that follows the standard does."""
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name:
                fields.setdefault(name, []).append(value)
        if "event" in fields:
            found.append((fields["event"][0], fields["id"][0], "\n".join(fields["data"])))
    return found


async def _create(platform: ApiPlatform, **body: Any) -> dict[str, Any]:
    async with platform.client() as client:
        answer = await client.post("/v1/predictions", json={"version": platform.version.id, **body})
        found: dict[str, Any] = answer.json()
        return found


async def _watch(platform: ApiPlatform, url: str, **headers: str) -> httpx2.Response:
    async with platform.client(None) as anybody:
        return await anybody.get(url, headers=headers)


async def test_a_watcher_sees_every_chunk_once_in_order(platform: ApiPlatform) -> None:
    """Whoever comes first, in the middle or at the end reads the same stream, with no header (wire gotchas 3, 5)."""
    created = await _create(platform, input={"text": "x"})
    url = created["urls"]["stream"]
    early = asyncio.create_task(_watch(platform, url))
    chunks = tuple(f"token {n}\n" for n in range(40))
    await asyncio.sleep(0.01)
    await platform.instance().run(chunks=chunks, logs="begin\n")
    late = await _watch(platform, url)
    for answer in (await early, late):
        assert answer.headers["content-type"] == "text/event-stream"
        events = events_of(answer.text)
        assert events[0] == ("logs", "1", "begin\n")
        assert [data for name, _, data in events if name == "output"] == list(chunks)
        assert events[-1] == ("done", "42", "{}")
        assert [int(number) for _, number, _ in events] == list(range(1, 43))


async def test_a_broken_stream_goes_on_after_the_last_event(platform: ApiPlatform) -> None:
    """Last-Event-ID skips what the client has."""
    created = await _create(platform, input={"text": "x"})
    await platform.instance().run(chunks=("a", "b", "c"))
    answer = await _watch(platform, created["urls"]["stream"], **{"Last-Event-ID": "2"})
    assert events_of(answer.text) == [("output", "3", "c"), ("done", "4", "{}")]
    odd = await _watch(platform, created["urls"]["stream"], **{"Last-Event-ID": "x"})
    assert len(events_of(odd.text)) == 4


async def test_a_whole_output_is_one_event(platform: ApiPlatform) -> None:
    """Models that do not stream can be watched too; what is no string is JSON."""
    created = await _create(platform, input={"text": "x"})
    await platform.instance().run({"a": [1, None]})
    answer = await _watch(platform, created["urls"]["stream"])
    assert events_of(answer.text) == [("output", "1", '{"a":[1,null]}'), ("done", "2", "{}")]


async def test_a_failure_is_an_error_and_then_done(platform: ApiPlatform) -> None:
    """Clients raise at `error` and stop at `done`."""
    created = await _create(platform, input={"text": "x"})
    await platform.instance().run(chunks=("a",), error="It broke.")
    names = [
        (name, data) for name, _, data in events_of((await _watch(platform, created["urls"]["stream"])).text)
    ]
    assert names == [("output", "a"), ("error", '{"detail": "It broke."}'), ("done", '{"reason": "error"}')]


async def test_a_canceled_prediction_ends_its_streams(platform: ApiPlatform) -> None:
    """Watchers of one that waits are told."""
    created = await _create(platform, input={"text": "x"})
    watching = asyncio.create_task(_watch(platform, created["urls"]["stream"]))
    await asyncio.sleep(0.01)
    async with platform.client() as client:
        await client.post(created["urls"]["cancel"])
    assert events_of((await asyncio.wait_for(watching, 30)).text) == [("done", "1", '{"reason": "canceled"}')]


async def test_files_are_streamed_as_addresses_below_files(platform: ApiPlatform) -> None:
    """One client makes files only of what comes from a path that begins with /v1/files/ (2.3 of the reference)."""
    model = await platform.services.models.create(
        platform.accounts["owner"], "owner", "painter", visibility="public"
    )
    version = await add_version(platform.services, model, "f" * 64, FILES_SCHEMA)
    async with platform.client() as client:
        created = (await client.post("/v1/predictions", json={"version": version.id, "input": {}})).json()
        assert created["urls"]["stream"].startswith(f"{BASE}/v1/files/")
        assert (await client.get(created["urls"]["get"])).json()["urls"] == created["urls"]
        instance = platform.instance(version.id)
        claim = await instance.claim()
        put = await client.put(f"/internal/outputs/{claim.lease_token}/1.png", content=b"1")
        await instance.queue.progress(
            claim.prediction.id,
            claim.lease_token,
            outputs=[put.headers["location"], {"x": put.headers["location"]}],
        )
        await instance.queue.finished(
            claim.prediction.id, claim.lease_token, Outcome(status="succeeded", streamed=True)
        )
    events = events_of((await _watch(platform, created["urls"]["stream"])).text)
    assert events[0][2].startswith(f"{BASE}/delivery/")
    assert events[1][2].startswith('{"x":"' + BASE)


@pytest.mark.parametrize("token", ["0" * 32, "x", "%2e%2e"])
async def test_a_stream_that_is_none_is_a_404(platform: ApiPlatform, token: str) -> None:
    """An address must be known."""
    for path in (f"/v1/streams/{token}", f"/v1/files/{token}/stream"):
        assert (await _watch(platform, path)).status_code == 404


async def test_streams_are_replayed_after_a_restart(tmp_path: Path) -> None:
    """What was streamed is read from the database when the process that streamed it is gone."""
    async with ApiPlatform.open(tmp_path) as first:
        created = await _create(first, input={"text": "x"})
        await first.instance().run(chunks=("a", "b"), logs="l\n")
        before = (await _watch(first, created["urls"]["stream"])).text
    async with ApiPlatform.open(tmp_path) as second:
        assert (await _watch(second, created["urls"]["stream"])).text == before


async def test_streams_can_be_told_again_when_nothing_is_kept_of_them(platform: ApiPlatform) -> None:
    """After an hour the events are made from the output."""
    created = await _create(platform, input={"text": "x"})
    await platform.instance().run(chunks=("a", "b"), logs="l\n")
    await platform.database.write(lambda db: db.execute("DELETE FROM prediction_events").rowcount)
    events = events_of((await _watch(platform, created["urls"]["stream"])).text)
    assert [(name, data) for name, _, data in events] == [
        ("logs", "l\n"),
        ("output", "a"),
        ("output", "b"),
        ("done", "{}"),
    ]


async def test_who_watches_what_runs_here_waits_for_no_store(
    platform: ApiPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a run has said is remembered while an instance holds it: no token is behind a look at the disk."""
    created = await _create(platform, input={"text": "x"})
    queue = platform.services.predictions.queue
    claim = await platform.instance().claim()
    await queue.progress(claim.prediction.id, claim.lease_token, outputs=["a"])

    async def look(*_: object) -> NoReturn:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(SqlPredictions, "events", look)
    watching = asyncio.create_task(_watch(platform, created["urls"]["stream"]))
    await queue.progress(claim.prediction.id, claim.lease_token, outputs=["b"])
    await queue.finished(claim.prediction.id, claim.lease_token, Outcome(status="succeeded", streamed=True))
    told = events_of((await asyncio.wait_for(watching, 30)).text)
    assert [(name, data) for name, _, data in told] == [("output", "a"), ("output", "b"), ("done", "{}")]


async def test_a_watcher_who_saw_more_than_was_kept_misses_nothing_of_the_next_run(
    platform: ApiPlatform,
) -> None:
    """A killed platform has told events that it had not written: their numbers are not given again."""
    version = (await platform.idempotent()).id
    created = await _create(platform, version=version, input={"text": "x"})
    queue = platform.services.predictions.queue
    claim = await platform.instance(version).claim()
    queue.handovers.note(claim.lease_token)
    await queue.started(claim.prediction.id, claim.lease_token)
    await queue.progress(claim.prediction.id, claim.lease_token, outputs=["lost"])
    await queue.flush()
    queue.live.topics.clear()  # what was told after that died with the process: say, up to number 30
    assert await queue.recover() == Recovery(again=1)
    await platform.instance(version).run(chunks=("a", "b"))
    again = await _watch(platform, created["urls"]["stream"], **{"Last-Event-ID": "30"})
    events = [(name, data) for name, _, data in events_of(again.text)]
    assert [name for name, _ in events] == ["logs", "output", "output", "done"]
    assert "running again" in events[0][1]
    assert [data for name, data in events if name == "output"] == ["a", "b"]


async def test_a_watcher_survives_the_loss_of_an_instance(platform: ApiPlatform) -> None:
    """The run begins again, the log says so, numbers go on rising, and the stream ends once."""
    version = (await platform.idempotent()).id
    created = await _create(platform, version=version, input={"text": "x"})
    queue = platform.services.predictions.queue
    claim = await platform.instance(version).claim()
    queue.handovers.note(claim.lease_token)
    await queue.started(claim.prediction.id, claim.lease_token)
    await queue.progress(claim.prediction.id, claim.lease_token, outputs=["lost"])
    watching = asyncio.create_task(_watch(platform, created["urls"]["stream"]))
    await queue.flush()
    assert await queue.recover() == Recovery(again=1)
    await platform.instance(version).run(chunks=("a", "b"))
    events = events_of((await asyncio.wait_for(watching, 30)).text)
    ids = [int(number) for _, number, _ in events]
    assert ids == sorted(set(ids))
    assert [data for name, _, data in events if name == "output"][-2:] == ["a", "b"]
    assert any(name == "logs" and "running again" in data for name, _, data in events)
    assert [name for name, _, _ in events].count("done") == 1
    async with platform.client() as client:
        shown = (await client.get(created["urls"]["get"])).json()
    assert shown["output"] == ["a", "b"]
    assert "running again" in shown["logs"]
