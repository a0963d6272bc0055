"""The life of predictions over a real database: lost instances, contention, kills, many at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cogyard.domain.retry import Recovery
from cogyard.domain.values import Status
from cogyard.features.predictions.queue import LEASE_LIFE, Claim
from cogyard.features.world import World
from cogyard.instances.work import Outcome
from cogyard.testing.api import ApiPlatform
from cogyard.testing.database import open_database

from tests.integration.features.life import Clock, ask, now

pytestmark = pytest.mark.anyio


async def test_a_prediction_the_model_never_saw_waits_again(tmp_path: Path) -> None:
    """The lease expires, another instance takes it, and the first one's word counts for nothing."""
    clock = Clock()
    async with ApiPlatform.open(tmp_path, world=World(now=clock, elapsed=clock.elapsed)) as platform:
        queue = platform.services.predictions.queue
        prediction = await ask(platform)
        old = await platform.instance().claim()
        await queue.sweep()
        assert await queue.claim(platform.version.id, instance="x") is None
        clock.moment += LEASE_LIFE
        await queue.sweep()
        new = await platform.instance().claim()
        assert new.prediction.id == prediction.id
        assert not await queue.started(prediction.id, old.lease_token)
        assert not await queue.progress(prediction.id, old.lease_token, outputs=["old"])
        assert not await queue.finished(
            prediction.id, old.lease_token, Outcome(status="succeeded", output="old")
        )
        assert await queue.finished(prediction.id, new.lease_token, Outcome(status="succeeded", output="new"))
        assert (await now(platform, prediction)).output == "new"


async def test_a_renewed_lease_does_not_expire(tmp_path: Path) -> None:
    """As long as the instance says that it lives."""
    clock = Clock()
    async with ApiPlatform.open(tmp_path, world=World(now=clock, elapsed=clock.elapsed)) as platform:
        queue = platform.services.predictions.queue
        prediction = await ask(platform)
        claim = await platform.instance().claim()
        for _ in range(10):
            clock.moment += LEASE_LIFE / 2
            assert await queue.renew(prediction.id, claim.lease_token)
            await queue.sweep()
        assert await queue.finished(prediction.id, claim.lease_token, Outcome(status="succeeded", output=1))


async def test_nobody_is_late_because_the_machine_slept(tmp_path: Path) -> None:
    """A laptop that is opened again goes on with what it ran."""
    clock = Clock()
    async with ApiPlatform.open(tmp_path, world=World(now=clock, elapsed=clock.elapsed)) as platform:
        queue = platform.services.predictions.queue
        prediction = await ask(platform)
        claim = await platform.instance().claim()
        await queue.sweep()
        clock.sleep(timedelta(hours=8))
        await queue.sweep()
        assert await queue.renew(prediction.id, claim.lease_token)
        clock.moment += LEASE_LIFE
        await queue.sweep()
        assert not await queue.renew(prediction.id, claim.lease_token)


async def test_deadlines_pass_in_the_queue_and_while_running(tmp_path: Path) -> None:
    """The one is aborted, the other canceled, and its instance is told."""
    clock = Clock()
    async with ApiPlatform.open(tmp_path, world=World(now=clock, elapsed=clock.elapsed)) as platform:
        queue = platform.services.predictions.queue
        running = await ask(platform, cancel_after=60.0)
        claim = await platform.instance().claim()
        await queue.started(running.id, claim.lease_token)
        clock.moment += timedelta(seconds=20)
        waiting = await ask(platform, cancel_after=10.0)
        told = asyncio.create_task(queue.wait_canceled(running.id))
        await asyncio.sleep(0)
        clock.moment += timedelta(seconds=10)
        assert await queue.renew(running.id, claim.lease_token)
        await queue.sweep()
        assert (await now(platform, waiting)).status is Status.ABORTED
        assert (await now(platform, running)).status is Status.PROCESSING
        clock.moment += timedelta(seconds=30)
        await queue.sweep()
        await asyncio.wait_for(told, 30)
        assert (await now(platform, running)).status is Status.CANCELED


async def test_many_claimers_share_the_work_and_none_twice(tmp_path: Path) -> None:
    """200 predictions, 20 instances: each runs once."""
    async with ApiPlatform.open(tmp_path) as platform:
        made = await asyncio.gather(*(ask(platform, str(n)) for n in range(200)))
        ran: list[str] = []

        async def work() -> None:
            instance = platform.instance()
            while (claim := await instance.queue.claim(instance.version, instance="i")) is not None:
                ran.append(claim.prediction.id)
                outcome = Outcome(status="succeeded", output=claim.prediction.input["text"])
                assert await instance.queue.finished(claim.prediction.id, claim.lease_token, outcome)

        await asyncio.gather(*(work() for _ in range(20)))
        assert sorted(ran) == sorted(prediction.id for prediction in made)
        for prediction in made:
            assert (await now(platform, prediction)).output == prediction.input["text"]


async def test_cancel_and_finish_at_the_same_moment_end_it_once(tmp_path: Path) -> None:
    """One of the two wins, and only that one is told."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue = platform.services.predictions.queue
        for _ in range(20):
            prediction = await ask(platform)
            claim = await platform.instance().claim()
            finished, canceled = await asyncio.gather(
                queue.finished(prediction.id, claim.lease_token, Outcome(status="succeeded", output="x")),
                queue.cancel(prediction.id),
            )
            ended = await now(platform, prediction)
            assert finished == (ended.status is Status.SUCCEEDED)
            assert (canceled is not None) == (ended.status is Status.CANCELED)
            assert finished != (canceled is not None)


async def test_waiters_hear_of_the_end_whoever_brings_it(tmp_path: Path) -> None:
    """wait() returns at the end, at once for one that has ended, and in time for one that has not."""
    async with ApiPlatform.open(tmp_path) as platform:
        predictions = platform.services.predictions
        prediction = await ask(platform)
        assert (await predictions.wait(prediction.id, 0)).status is Status.STARTING
        waiting = asyncio.create_task(predictions.wait(prediction.id, 10))
        await platform.instance().run("x")
        assert (await waiting).output == "x"
        assert (await predictions.wait(prediction.id, 10)).output == "x"


async def test_what_is_streamed_is_durable_within_a_moment(tmp_path: Path) -> None:
    """A killed platform knows what was flushed; an idempotent run is run again."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue, version = platform.services.predictions.queue, await platform.idempotent()
        prediction = await ask(platform, version=version)
        claim: Claim = await platform.instance(version.id).claim()
        await queue.started(prediction.id, claim.lease_token)
        await queue.progress(prediction.id, claim.lease_token, outputs=["a", "b"], logs="l")
        await queue.flush()
    async with ApiPlatform.open(tmp_path) as platform:
        shown = await platform.services.predictions.get(platform.accounts["owner"], prediction.id)
        assert shown.output == ["a", "b"]
        assert shown.logs == "l"
        assert await platform.services.predictions.queue.recover() == Recovery(again=1)
        await platform.instance(version.id).run("again")
        assert (await now(platform, prediction)).output == "again"


SCRIPT = """
import asyncio, sys
from pathlib import Path
from cogyard.instances.work import Outcome
from cogyard.testing.api import ApiPlatform

async def main():
    async with ApiPlatform.open(Path(sys.argv[1])) as platform:
        predictions, queue = platform.services.predictions, platform.services.predictions.queue
        await queue.recover()
        print("ready", flush=True)

        async def ask():
            for n in range(100_000):
                made = await predictions.create(
                    platform.accounts["owner"], version=platform.version, input={"text": str(n)}
                )
                print("made", made.id, flush=True)

        async def work():
            instance = platform.instance()
            while True:
                claim = await instance.claim()
                queue.handovers.note(claim.lease_token)
                print("seen", claim.prediction.id, flush=True)
                await queue.started(claim.prediction.id, claim.lease_token)
                await queue.progress(claim.prediction.id, claim.lease_token, outputs=["x"])
                if await queue.finished(
                    claim.prediction.id, claim.lease_token, Outcome(status="succeeded", streamed=True)
                ):
                    print("ended", claim.prediction.id, flush=True)

        await asyncio.gather(*(ask() for _ in range(4)), *(work() for _ in range(3)))

asyncio.run(main())
"""


def _run_until_killed(folder: Path, lines: int) -> list[tuple[str, str]]:
    """Run asking and working, kill it in the middle, and return what it said was durable."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    said += [line for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    process.wait()
    return [(word, key) for word, _, key in (line.strip().partition(" ") for line in said)]


async def test_kill_9_loses_no_prediction_and_ends_none_twice(tmp_path: Path) -> None:
    """Three kills under load: what was accepted ends once, what had ended stays, and no model sees one twice."""
    said: list[tuple[str, str]] = []
    for lines in (50, 150, 300):
        said += await asyncio.to_thread(_run_until_killed, tmp_path, lines)
    made = [key for word, key in said if word == "made"]
    ended = [key for word, key in said if word == "ended"]
    assert len(made) > 100
    assert len(ended) == len(set(ended))
    seen = [key for word, key in said if word == "seen"]
    assert len(seen) == len(set(seen))
    async with ApiPlatform.open(tmp_path) as platform:
        queue, owner = platform.services.predictions.queue, platform.accounts["owner"]
        await queue.recover()
        interrupted = 0
        for key in ended:
            assert (await platform.services.predictions.get(owner, key)).status is Status.SUCCEEDED
        instance = platform.instance()
        while (claim := await queue.claim(instance.version, instance="last")) is not None:
            outcome = Outcome(status="succeeded", output=["x"])
            assert await queue.finished(claim.prediction.id, claim.lease_token, outcome)
            assert claim.prediction.id not in seen
        for key in made:
            final = await platform.services.predictions.get(owner, key)
            # Three instances ran one each at each of three kills.
            interrupted += final.status is Status.FAILED
            assert final.status is Status.SUCCEEDED or "@cog.idempotent" in (final.error or "")
            assert final.status is Status.FAILED or final.output == ["x"]
        assert interrupted <= 9
    with open_database(tmp_path / "cogyard.db") as database:
        assert await database.check() == ()


async def test_an_output_that_cannot_be_kept_is_a_failure(tmp_path: Path) -> None:
    """The reason says what to do; the platform goes on."""
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    async with ApiPlatform.open(tmp_path) as platform:
        whole, streamed = await ask(platform), await ask(platform)
        await platform.instance().run(nested)
        await platform.instance().run(chunks=("a", nested))
        for prediction in (whole, streamed):
            ended = await now(platform, prediction)
            assert ended.status is Status.FAILED
            assert "levels deep" in (ended.error or "")


async def test_silence_is_told_and_what_comes_together_is_told_together(tmp_path: Path) -> None:
    """A watcher hears of silence, so that no proxy ends the stream; then of all that came, in one; then of the end."""
    async with ApiPlatform.open(tmp_path) as platform:
        made = await ask(platform)
        queue = platform.services.predictions.queue
        claim = await platform.instance().claim()
        watching = platform.services.predictions.events(made.stream_token, beat=0.001)
        assert list(await anext(watching)) == []
        await queue.progress(claim.prediction.id, claim.lease_token, outputs=["a", "b"])
        while not (told := await anext(watching)):
            pass
        assert [event.data for event in told] == ["a", "b"]
        ended = Outcome(status="succeeded", streamed=True)
        assert await queue.finished(claim.prediction.id, claim.lease_token, ended)
        rest = [event.name async for batch in watching for event in batch]
        assert rest == ["done"]
        assert queue.live.topics == {}


async def test_an_instance_that_waits_claims_in_the_commit_that_creates(tmp_path: Path) -> None:
    """What is written and taken at once is durable once: nobody waits for a second commit."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue, version = platform.services.predictions.queue, platform.version.id
        said: list[str] = []

        async def take() -> Claim | None:
            assert await queue.claim(version, instance="i1") is None
            waits.set()
            await queue.wait_for_work(version, timeout=30)
            return await queue.claim(version, instance="i1")

        waits = asyncio.Event()
        await platform.database.write(lambda db: db.set_trace_callback(said.append))
        taking = asyncio.create_task(take())
        await waits.wait()
        made = await ask(platform)
        claim = await asyncio.wait_for(taking, 30)
        assert claim is not None
        assert claim.prediction.id == made.id
        # Other turns are the sweeps of the platform's own.
        turn = "\n".join(said).partition("INSERT INTO predictions")[2].partition("\nCOMMIT")[0]
        assert "UPDATE queue SET" in turn
        # Nobody is called for what is taken already.
        waiting = asyncio.create_task(queue.wait_for_work(version, timeout=30))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
