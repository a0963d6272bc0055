# ruff: noqa: A001, S311, T201 - the wire's words; a seed that always means the same; figures for whoever runs with -s
"""Thousands of predictions with cancels, crashes and clients that leave: one end each, and nothing is left over."""

from __future__ import annotations

import asyncio
import base64
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.census import Census, take
from tests.integration.faults.plain_http import Answer, Line, Sink, sink
from tests.integration.faults.servers import started
from tests.integration.model_server.live import Server, end

COUNT = 600
"""Predictions of each short soak."""
CLIENTS = 12
KEPT_CONNECTIONS = 20
"""Connections that the HTTP library may keep to where webhooks go."""
TERMINAL = ("succeeded", "failed", "canceled")
MEMORY_GROWTH = 48 << 20
"""Bytes: what the server remembers of its last hundred predictions, and what its allocator keeps."""


class Soak:
    """Clients that ask for predictions in every way, and keep the books."""

    def __init__(self, server: Server, sink: Sink, seed: int) -> None:
        self.uds = server.uds
        self.sink = sink
        self.random = random.Random(seed)
        self.number = 0
        self.accepted: dict[str, str] = {}
        """Predictions that were surely taken, with the one terminal status their client saw (or nothing)."""
        self.maybe: set[str] = set()
        self.refused: Counter[int] = Counter()
        self.ways: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def run(self, count: int) -> None:
        """Let some clients make `count` predictions among them."""
        todo = iter(self.plan(count))
        await asyncio.gather(*(self.client(todo) for _ in range(CLIENTS)))

    def plan(self, count: int) -> list[tuple[str, str, dict[str, Any]]]:
        """Decide all before the first is sent, so that a seed always means the same."""
        dice = self.random
        ways = {"plain": 40, "file": 8, "raise": 8, "later": 8, "cancel": 8, "gone": 8, "stream": 8, "left": 6,
                "twice": 4, "die": 1, "die-in-stream": 1}  # fmt: skip
        planned = []
        for _ in range(count):
            self.number += 1
            way = dice.choices(list(ways), list(ways.values()))[0]
            text = f"{self.number}-{dice.getrandbits(32):x}"
            input: dict[str, Any] = {"text": text, "mode": "echo"}
            if way == "file":
                data = base64.b64encode(text.encode()).decode()
                input = {"text": text, "file": f"data:text/plain;base64,{data}"}
            elif way in ("raise", "die", "die-in-stream"):
                input |= {"mode": way, "how": dice.choice(["kill", "exit", "segv", "abort"])}
                input["count"] = 4
            elif way in ("cancel", "gone"):
                input |= {
                    "mode": "sleep",
                    "seconds": dice.choice([0.0, 0.02, 0.2]),
                    "pause": dice.random() / 50,
                }
            elif way in ("stream", "left"):
                input |= {"mode": "print", "count": dice.randint(2, 40)}
            planned.append((way, f"s{self.number}", input))
        return planned

    async def client(self, todo: Iterator[tuple[str, str, dict[str, Any]]]) -> None:
        """Work through a share of the plan."""
        for way, id, input in todo:
            self.ways[way] += 1
            pause = input.pop("pause", 0.0)
            body = {
                "id": id,
                "input": input,
                "webhook": self.sink.address,
                "webhook_events_filter": ["completed"],
            }
            do: Callable[..., Coroutine[Any, Any, None]] = getattr(self, "do_" + WAYS.get(way, way))
            while True:
                line = await Line.open(self.uds)
                try:
                    await do(line, id, body, pause)
                except RefusedError as exc:
                    self.refused[exc.args[0]] += 1
                    await asyncio.sleep(0.02)
                    continue
                finally:
                    line.leave()
                break

    async def do_plain(self, line: Line, id: str, body: dict[str, Any], _: float) -> None:
        """Wait for the answer."""
        self.ended(id, body, await line.ask("POST", "/predictions", body))

    async def do_later(self, line: Line, id: str, body: dict[str, Any], _: float) -> None:
        """Ask, then ask again until it is over."""
        await self.take(line, id, body)
        while True:
            answer = await line.ask("GET", f"/predictions/{id}")
            if answer.status != 200:
                return  # too long ago: a hundred others have ended since; the webhook tells
            if answer.json["status"] in TERMINAL:
                self.ended(id, body, answer)
                return
            await asyncio.sleep(0.005)

    async def do_cancel(self, line: Line, id: str, body: dict[str, Any], pause: float) -> None:
        """Ask, then cancel at some moment, perhaps twice."""
        await self.take(line, id, body)
        await asyncio.sleep(pause)
        for _ in range(1 + self.number % 2):
            status = (await line.ask("POST", f"/predictions/{id}/cancel")).status
            if status not in (200, 404):
                self.wrong.append(f"cancel of {id}: {status}")

    async def do_gone(self, line: Line, id: str, body: dict[str, Any], pause: float) -> None:
        """Ask, then leave without waiting."""
        self.maybe.add(id)
        await line.send("POST", "/predictions", body)
        await asyncio.sleep(pause)

    async def do_stream(self, line: Line, id: str, body: dict[str, Any], _: float) -> None:
        """Read events to their end."""
        await line.send("POST", "/predictions", body, accept="text/event-stream")
        status, headers = await line.head()
        if status != 200:
            await line.reader.readexactly(int(headers["content-length"]))
            raise RefusedError(status)
        self.accepted[id] = ""
        text = b"".join([chunk async for chunk in line.chunks()])
        ends = text.count(b"event: completed\n")
        if ends != 1:
            self.wrong.append(f"the stream of {id} had {ends} ends")
        # A model's death may cut the outputs short, but none may be missing in between or come twice.
        indexes = [int(part.partition(b"}")[0]) for part in text.split(b'"index":')[1:]]
        if indexes != list(range(len(indexes))):
            self.wrong.append(f"the stream of {id} counted {indexes}")

    async def do_left(self, line: Line, id: str, body: dict[str, Any], _: float) -> None:
        """Read the beginning of a stream, then leave."""
        await line.send("POST", "/predictions", body, accept="text/event-stream")
        status, headers = await line.head()
        if status != 200:
            await line.reader.readexactly(int(headers["content-length"]))
            raise RefusedError(status)
        self.accepted[id] = ""
        await line.reader.readuntil(b"\r\n")

    async def do_twice(self, line: Line, id: str, body: dict[str, Any], _: float) -> None:
        """PUT the same at the same time on two lines: one prediction, one answer."""
        other = await Line.open(self.uds)
        try:
            answers = await asyncio.gather(
                line.ask("PUT", f"/predictions/{id}", body), other.ask("PUT", f"/predictions/{id}", body)
            )
        finally:
            other.leave()
        taken = [answer for answer in answers if answer.status == 200]
        if len(taken) == 2 and taken[0].json != taken[1].json:
            self.wrong.append(f"{id} was answered in two ways")
        if not taken:
            raise RefusedError(answers[0].status)
        self.ended(id, body, taken[0])

    async def take(self, line: Line, id: str, body: dict[str, Any]) -> None:
        """Ask for a prediction without waiting."""
        answer = await line.ask("POST", "/predictions", body, prefer="respond-async")
        if answer.status != 202:
            raise RefusedError(answer.status)
        self.accepted[id] = ""

    def ended(self, id: str, body: dict[str, Any], answer: Answer) -> None:
        """Note a terminal answer, and what is wrong with it."""
        if answer.status in (429, 503):
            raise RefusedError(answer.status)
        found = answer.json
        if answer.status != 200 or found["id"] != id or found["status"] not in TERMINAL:
            self.wrong.append(f"{id}: {answer.status} {answer.body[:300]!r}")
            return
        self.accepted[id] = found["status"]
        input = body["input"]
        expected = {"raise": "failed", "die": "failed", "die-in-stream": "failed"}.get(
            input.get("mode", "echo")
        )
        if expected is not None and found["status"] != expected:
            self.wrong.append(f"{id} should be {expected}: {answer.body[:300]!r}")
        if found["status"] == "succeeded":
            whole = input["text"] * (2 if "file" in input else 1)
            if found["output"] != [whole]:
                self.wrong.append(f"{id} should say {whole}: {answer.body[:300]!r}")
        if found["status"] == "failed" and not found["error"]:
            self.wrong.append(f"{id} failed without a reason")

    async def settle(self) -> None:
        """Wait until every prediction that was taken has told its end."""
        for _ in range(600):
            if self.accepted.keys() <= self.sink.seen.keys():
                return
            await asyncio.sleep(0.05)

    def check(self) -> None:
        """Say what is wrong in the books."""
        lost = [id for id in self.accepted if not self.sink.seen[id]]
        doubled = [id for id, times in self.sink.seen.items() if times != 1]
        contradicted = [
            id
            for id, seen in self.accepted.items()
            if seen and self.sink.statuses.get(id) not in (None, seen)
        ]
        unknown = self.sink.seen.keys() - self.accepted.keys() - self.maybe
        assert (lost, doubled, contradicted, unknown, self.wrong) == ([], [], [], set(), [])


WAYS = {"file": "plain", "raise": "plain", "die": "plain", "die-in-stream": "plain"}


class RefusedError(Exception):
    """The server took nothing: it is full, or its model is just starting again."""


KINDS = {
    "sync": ("frail.py:Frail", 1),
    "async": ("frail.py:FrailAsync", 1),
    "batched": ("frail.py:FrailBatch", 1),
    "two workers": ("frail.py:Frail", 2),
}
kinds = pytest.mark.parametrize("kind", list(KINDS))


@pytest.mark.anyio
@kinds
async def test_predictions_by_the_thousand_end_once_and_leave_nothing(project: Path, kind: str) -> None:
    """Whatever clients and model do, each prediction ends exactly once, and the server is as it was before."""
    await soak(project, *KINDS[kind], COUNT)


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.skipif(
    "COGYARD_SOAK" not in os.environ, reason="COGYARD_SOAK=1 runs the long soak, about a minute"
)
@kinds
async def test_ten_thousand_predictions_end_once_and_leave_nothing(project: Path, kind: str) -> None:
    """The same for five thousand with each kind of model."""
    await soak(project, *KINDS[kind], 5000)


async def soak(project: Path, ref: str, workers: int, count: int) -> None:
    """Do it, and compare what the server holds before and after."""
    with started(project, ref, "--workers", str(workers)) as server:
        temporary = server.folder / "tmp"
        async with sink() as hooks:
            warm = Soak(server, hooks, seed=1)
            await warm.run(100)
            await warm.settle()
            warm.check()
            before = await quiet(server, temporary, workers)
            main = Soak(server, hooks, seed=2026)
            main.number = warm.number
            main.maybe = warm.maybe
            main.accepted = warm.accepted
            await main.run(count)
            await main.settle()
            main.check()
            after = await quiet(server, temporary, workers)
        assert server.process.poll() is None
        kills = main.ways["die"] + main.ways["die-in-stream"]
        print(
            f"{ref}: {len(main.accepted)} taken, {dict(main.ways)}, {kills} deaths, {dict(main.refused)} refused"
        )
        print(f"before {before}\nafter  {after}")
        assert kills > count // 100
        assert (after.processes, after.zombies, after.files) == (workers, 0, 0)
        assert after.descriptors - after.sockets <= before.descriptors - before.sockets + 1
        assert after.sockets <= before.sockets + KEPT_CONNECTIONS
        # The pool that removes folders grows to its own limit.
        assert after.threads <= before.threads + (os.cpu_count() or 1) + 4
        assert after.memory - before.memory < MEMORY_GROWTH
        end(server.process)
        assert server.process.returncode == 0
        assert list(temporary.iterdir()) == []


async def quiet(server: Server, temporary: Path, workers: int) -> Census:
    """Wait until nothing runs any more and the model is ready, and count what there is."""
    found = take(server.process.pid, temporary)
    for _ in range(400):
        health = await asyncio.to_thread(server.health)
        running = await asyncio.to_thread(server.metric, "cog_predictions_running")
        found = take(server.process.pid, temporary)
        if health["status"] == "READY" and not running and not found.files and found.processes == workers:
            break
        await asyncio.sleep(0.05)
    return found
