"""Load, kills and a ledger: what tests need to say that nothing was lost while anything may die at any moment.

Theory of operation. Clients are processes of their own, so that they can be killed too; each writes down what was
accepted, one line each, before it asks for the next. The receiver of webhooks lives in the test's process, which is
never killed. In the end the ledger is compared with what the platform's database holds: also predictions whose client
died before it could read the answer count there.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

#: What instances run in; an engine's tests share the engine.
RUNTIMES = [
    pytest.param("process"),
    pytest.param("sandbox"),
    pytest.param("docker", marks=[pytest.mark.xdist_group("docker"), pytest.mark.docker]),
]
#: Kills of a run that asks for no number. An engine's take so long that it gets fewer.
_USUAL = {"process": 8, "sandbox": 5, "docker": 3}
#: How often a receiver refuses the same event: a second time makes the platform wait for half a minute (`RETRY_WAITS`).
_REFUSALS = 2 if "COGYARD_KILLS" in os.environ else 1
#: How long an instance may take to come, before something else is killed in its place.
_PATIENCE = 15.0
TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})


def kills_with(runtime: str) -> int:
    """Return how many kills a run with this runtime is to have: as COGYARD_KILLS says, else a few."""
    return int(os.environ.get("COGYARD_KILLS", _USUAL[runtime]))


#: One client: asks again and again, cancels one in twenty, watches one in twenty for a moment and goes away.
CLIENT = """
import json, random, sys, time
import httpx2
address, token, path, asked, hook, book, seed, pause = sys.argv[1:]
chance = random.Random(int(seed))
with open(book, "a") as notes, httpx2.Client(base_url=address, timeout=20) as http:
    http.headers["authorization"] = f"Bearer {token}"
    number = 0
    while True:
        number += 1
        text = f"{seed}-{number}-"
        body = {**json.loads(asked), "input": {"text": text}, "webhook": hook,
                "webhook_events_filter": ["completed"]}
        try:
            wait = {"prefer": "wait=1"} if chance.random() < 0.3 else {}
            answer = http.post(path, json=body, headers=wait)
            if answer.status_code in {201, 202}:
                made = answer.json()
                notes.write(json.dumps([made["id"], text]) + "\\n")
                notes.flush()
                if chance.random() < 0.05:
                    http.post(f"/v1/predictions/{made['id']}/cancel")
        except httpx2.HTTPError:
            time.sleep(0.1)
        time.sleep(chance.uniform(0.02, 0.12) * float(pause))
"""


class Receiver(ThreadingHTTPServer):
    """Is told what became of predictions; refuses one call in ten, so that it must be told again.

    Nothing is refused more often than `_REFUSALS`: the waits between tries grow, and a fourth would outlast any test.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, chance: random.Random) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.chance = chance
        #: (prediction, webhook-id, status) of every call that was answered with 200.
        self.told: list[tuple[str, str, str]] = []
        self.refused = Counter[str]()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"

    def handle_error(self, *_: object) -> None:
        """Say nothing: callers are killed in the middle here."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = str(self.headers["webhook-id"])
        good = self.server.chance.random() > 0.1 or self.server.refused[name] >= _REFUSALS
        if good:
            self.server.told.append((body["id"], name, body["status"]))
        else:
            self.server.refused[name] += 1
        self.send_response(200 if good else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(chance: random.Random) -> Iterator[Receiver]:
    """Run a receiver inside the block."""
    server = Receiver(chance)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Clients:
    """Client processes that ask a platform; `killed` ones are replaced."""

    platform: Any
    hook: str
    folder: Path
    address: str
    asked: dict[str, str]
    """What they say beside their input."""
    path: str = "/v1/predictions"
    pause: float = 1.0
    """How much longer than others they rest."""
    first: int = 0
    """Their numbers begin after this."""
    alive: list[subprocess.Popen[bytes]] = field(default_factory=list)
    begun: int = 0

    def begin(self) -> None:
        """Start one more client."""
        self.begun += 1
        seed = str(self.first + self.begun)
        book = self.folder / f"accepted-{seed}.jsonl"
        where = [self.address, self.platform.token, self.path, json.dumps(self.asked)]
        words = [*where, self.hook, str(book), seed, str(self.pause)]
        self.alive.append(subprocess.Popen([sys.executable, "-c", CLIENT, *words]))

    def kill(self, chance: random.Random) -> None:
        """Kill a client in the middle of whatever it does, and start another."""
        victim = self.alive.pop(chance.randrange(len(self.alive)))
        victim.kill()
        victim.wait()
        self.begin()

    def stop(self) -> None:
        """Kill them all."""
        for one in self.alive:
            one.kill()
            one.wait()
        self.alive.clear()

    def accepted(self) -> dict[str, str]:
        """Return what clients saw accepted: prediction and its text. A line cut off was no answer read whole."""
        found: dict[str, str] = {}
        for book in self.folder.glob("accepted-*.jsonl"):
            for line in book.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    prediction, text = json.loads(line)
                    found[prediction] = text
        return found


def attached(platform: Any) -> list[int]:
    """List the platform's children that are a container engine's clients, each attached to an instance's container."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            words = (process / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue  # It has ended meanwhile.
        if platform.process is not None and parent == platform.process.pid and b"\0run\0--rm\0" in words:
            found.append(int(process.name))
    return found


def kill_one(platform: Any, clients: Clients, chance: random.Random) -> str:
    """Kill something with SIGKILL and bring it back where nobody else does; return what it was."""
    what = chance.choices(("platform", "instance", "client"), weights=(4, 4, 2))[0]
    if what == "instance":
        # After a kill of the platform it takes a while until there is one; then it gets a while to live.
        until = time.monotonic() + _PATIENCE
        while not platform.instances() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 3))
    found = [*platform.instances(), *attached(platform)]
    if what == "client":
        clients.kill(chance)
    elif what == "instance" and found:
        try:
            os.kill(chance.choice(found), signal.SIGKILL)
        except ProcessLookupError:
            what = "nobody"  # It ended by itself a moment ago.
    else:
        what = "platform"
        platform.end(signal.SIGKILL)
        platform.start()
    return what


@dataclass(kw_only=True)
class Verdict:
    """What the ledger says in the end."""

    predictions: int = 0
    accepted: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    told_again: int = 0
    #: What failed, by its text: why, and how often a model had seen it.
    failed: dict[str, tuple[str, int]] = field(default_factory=dict)
    #: Failed in a run whose start was stored.
    ran: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """Return what is worth printing."""
        counted = {name: len(getattr(self, name)) for name in ("lost", "wrong", "doubled", "untold")}
        return {
            "predictions": self.predictions,
            "accepted": self.accepted,
            **self.statuses,
            **counted,
            "told again with the same id": self.told_again,
        }


def judge(
    database: Path,
    accepted: dict[str, str],
    told: list[tuple[str, str, str]],
    good: Callable[[str, Any], bool],
) -> Verdict:
    """Compare what was accepted and told with what is kept; `good` says whether a text may have that output."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT id, status, input, output, error, completed_at, started_at, attempts FROM predictions"
        ).fetchall()
        queued = {row[0] for row in db.execute("SELECT prediction_id FROM queue")}
    verdict = Verdict(predictions=len(rows), accepted=len(accepted))
    kept = {row[0]: row for row in rows}
    verdict.lost = [name for name in accepted if name not in kept]
    ids: dict[str, set[str]] = {}
    statuses: dict[str, set[str]] = {}
    for prediction, message, status in told:
        ids.setdefault(prediction, set()).add(message)
        statuses.setdefault(prediction, set()).add(status)
    verdict.told_again = len(told) - sum(len(found) for found in ids.values())
    for name, status, given, output, error, completed, started, attempts in rows:
        verdict.statuses[status] += 1
        text = json.loads(given)["text"]
        if status not in TERMINAL or completed is None or name in queued:
            verdict.lost.append(name)
        if name in accepted and accepted[name] != text:
            verdict.wrong.append(name)
        if status == "succeeded" and not good(text, json.loads(output)):
            verdict.wrong.append(name)
        if status == "failed":
            verdict.reasons[str(error).splitlines()[0][:90]] += 1
            verdict.failed[text] = (str(error), attempts)
            verdict.ran += started is not None
        if len(ids.get(name, ())) > 1 or len(statuses.get(name, ())) > 1:
            verdict.doubled.append(name)
        # Who was canceled or failed is told as well: every end has exactly one event.
        if statuses.get(name) != {status}:
            verdict.untold.append(name)
    return verdict


def settled(database: Path) -> bool:
    """Whether nothing waits or runs any more and every webhook was told."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return all(
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0  # noqa: S608 - names of ours
            for table in ("queue", "outbox")
        )


def until_settled(database: Path, *, patience: float) -> bool:
    """Wait until everything is settled; False when it was not within `patience` seconds."""
    end = time.monotonic() + patience
    while not settled(database):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
