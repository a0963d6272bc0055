"""What becomes of predictions whose run was interrupted, over a real database and real notes of handovers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.domain.retry import MAX_ATTEMPTS, MAX_CLAIMS, Recovery
from cogyard.domain.values import Status
from cogyard.instances.work import Outcome
from cogyard.testing.api import ApiPlatform

from tests.integration.features.life import ask, now

pytestmark = pytest.mark.anyio


async def test_a_prediction_that_keeps_losing_its_instances_fails(tmp_path: Path) -> None:
    """Three interruptions while an idempotent model runs it; the reason says so."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue, version = platform.services.predictions.queue, await platform.idempotent()
        prediction = await ask(platform, version=version)
        for _ in range(MAX_ATTEMPTS):
            claim = await platform.instance(version.id).claim()
            assert await queue.started(prediction.id, claim.lease_token)
            recovery = await queue.recover()
            assert recovery.again + recovery.failed == 1
        ended = await now(platform, prediction)
        assert ended.status is Status.FAILED
        assert f"interrupted {MAX_ATTEMPTS} times" in (ended.error or "")
        assert await queue.waiting() == {}


@pytest.mark.parametrize("reported", [True, False])
async def test_what_a_model_has_seen_is_not_run_again(tmp_path: Path, reported: bool) -> None:
    """Unless its author declared it idempotent: it fails, says why, and keeps what it streamed."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue, version = platform.services.predictions.queue, await platform.idempotent()
        plain, repeatable = await ask(platform), await ask(platform, version=version)
        for prediction, ran in ((plain, platform.version.id), (repeatable, version.id)):
            claim = await platform.instance(ran).claim()
            queue.handovers.note(claim.lease_token)
            if reported:
                await queue.started(prediction.id, claim.lease_token)
            await queue.progress(prediction.id, claim.lease_token, outputs=["a"], logs="l")
        await queue.flush()
    async with ApiPlatform.open(tmp_path) as platform:
        queue = platform.services.predictions.queue
        assert await queue.recover() == Recovery(again=1, failed=1)
        ended, waits = await now(platform, plain), await now(platform, repeatable)
        assert ended.status is Status.FAILED
        assert "@cog.idempotent" in (ended.error or "")
        assert (ended.output, ended.logs) == (["a"], "l")
        assert (waits.status, waits.output, waits.attempts) == (Status.STARTING, None, 1)
        assert await queue.waiting() == {version.id: 1}


async def test_a_run_that_somebody_killed_goes_on_where_that_is_safe(tmp_path: Path) -> None:
    """Its instance says that it was killed: an idempotent prediction waits again, up to three times; another fails."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue, version = platform.services.predictions.queue, await platform.idempotent()
        plain, repeatable = await ask(platform), await ask(platform, version=version)
        killed = Outcome(status="failed", streamed=True, error="It was killed.", interrupted=True)
        claim = await platform.instance().claim()
        assert await queue.finished(plain.id, claim.lease_token, killed)
        assert (await now(platform, plain)).error == "It was killed."
        for attempt in range(1, MAX_ATTEMPTS):
            claim = await platform.instance(version.id).claim()
            await queue.started(repeatable.id, claim.lease_token)
            await queue.progress(repeatable.id, claim.lease_token, outputs=["a"])
            assert await queue.finished(repeatable.id, claim.lease_token, killed)
            waits = await now(platform, repeatable)
            assert (waits.status, waits.attempts, waits.output) == (Status.STARTING, attempt, None)
            assert "It was killed. Running again." in waits.logs
            assert not await queue.renew(repeatable.id, claim.lease_token)
        claim = await platform.instance(version.id).claim()
        await queue.started(repeatable.id, claim.lease_token)
        assert await queue.finished(repeatable.id, claim.lease_token, killed)
        ended = await now(platform, repeatable)
        assert (ended.status, ended.error) == (Status.FAILED, "It was killed.")


async def test_what_was_claimed_ahead_is_not_lost_with_what_ran(tmp_path: Path) -> None:
    """A killed platform knows which of an instance's claims its model had seen."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue = platform.services.predictions.queue
        made = [await ask(platform, str(number)) for number in range(4)]
        claims = [await platform.instance().claim() for _ in made]
        queue.handovers.note(claims[0].lease_token)
    async with ApiPlatform.open(tmp_path) as platform:
        assert await platform.services.predictions.queue.recover() == Recovery(again=3, failed=1)
        found = [(await now(platform, prediction)).status for prediction in made]
        assert found == [Status.FAILED, *[Status.STARTING] * 3]


async def test_without_its_notes_a_platform_runs_nothing_twice(tmp_path: Path) -> None:
    """Where nobody knows what a model saw, what was claimed counts as seen."""
    async with ApiPlatform.open(tmp_path) as platform:
        prediction = await ask(platform)
        await platform.instance().claim()
    (tmp_path / "handovers").write_bytes(b"")
    async with ApiPlatform.open(tmp_path) as platform:
        await platform.services.predictions.queue.recover()
        ended = await now(platform, prediction)
        assert ended.status is Status.FAILED
        assert "perhaps" in (ended.error or "")


async def test_a_prediction_that_no_instance_can_start_fails(tmp_path: Path) -> None:
    """An input that kills every instance does not do so for ever."""
    async with ApiPlatform.open(tmp_path) as platform:
        queue = platform.services.predictions.queue
        prediction = await ask(platform)
        for _ in range(MAX_CLAIMS):
            await platform.instance().claim()
            await queue.recover()
        assert (await now(platform, prediction)).status is Status.FAILED
