"""Who builds: an engine is looked for only where one is needed, and what is missing is said before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.image.errors import BuildNotPossibleError, NeedsScriptsError
from cogyard.image.steps.engine import Means, StepEngine
from cogyard.project import Build, RunCommand, SecretMount
from cogyard.testing.steps import FakeStepEngine

from tests.unit.image.test_plan import project

MAKE = RunCommand(command="make install")
SECRET = RunCommand(command="use it", mounts=(SecretMount(id="token", target="/t"),))
WITH_STEPS = project(Build(python_version="3.11", run=(MAKE, SECRET)))


def never(choice: str) -> StepEngine | None:
    """Fail the test that looks for an engine."""
    raise AssertionError(choice)


def test_no_engine_is_looked_for_without_need() -> None:
    """A project without steps is built directly, whatever engines there are."""
    for builder in ("auto", "direct"):
        assert Means(builder=builder, find=never).engine(project()) is None


def test_the_direct_builder_names_the_step() -> None:
    """It runs no commands; the first one is in the message, and the option that helps."""
    with pytest.raises(BuildNotPossibleError) as caught:
        Means(builder="direct", find=never).engine(WITH_STEPS)
    assert "make install" in caught.value.message
    assert "--builder docker" in (caught.value.hint or "")


def test_a_missing_secret_is_named() -> None:
    """The id is in the message, and the option that gives it."""
    with pytest.raises(BuildNotPossibleError) as caught:
        Means(find=lambda _: FakeStepEngine()).engine(WITH_STEPS)
    assert "'token'" in caught.value.message
    assert "--secret id=token,src=FILE" in (caught.value.hint or "")


def test_an_engine_that_mounts_nothing_gets_no_secrets() -> None:
    """Docker's older builder is refused before work, even with the secret given."""
    means = Means(find=lambda _: FakeStepEngine(mounts=False), secrets={"token": Path("/t")})
    with pytest.raises(BuildNotPossibleError, match="older builder"):
        means.engine(WITH_STEPS)


def test_the_engine_that_was_named_is_taken() -> None:
    """`--builder podman` asks for podman, also where nothing needs it; `auto` asks for any."""
    asked: list[str] = []

    def find(choice: str) -> StepEngine:
        asked.append(choice)
        return FakeStepEngine(name=choice)

    named = Means(builder="podman", find=find).engine(project())
    assert named is not None
    assert named.name == "podman"
    assert Means(find=find, secrets={"token": Path("/t")}).engine(WITH_STEPS) is not None
    assert asked == ["podman", "auto"]


def test_packages_with_scripts_go_to_an_engine() -> None:
    """Where one answers it installs them; elsewhere, and for the direct builder, the package's name and reason stay."""
    why = NeedsScriptsError("the system package x sets itself up by a script")
    assert Means(find=lambda _: FakeStepEngine()).for_packages(why).name == "fake"
    for means in (Means(), Means(builder="direct", find=never)):
        with pytest.raises(NeedsScriptsError, match="package x"):
            means.for_packages(why)
