"""The real package index, and one that is not there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.environment import Lock, ResolvingFailedError, Target, server_lock
from cogyard.environment.resolve import resolve
from cogyard.project import Project

HERE = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def online(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the machine's own index instead of the folder of wheels."""
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.delenv("UV_CACHE_DIR")


def asked(question: Callable[[], Lock]) -> Lock:
    """Return the answer, or skip the test where no index can be reached."""
    try:
        return question()
    except ResolvingFailedError as error:
        pytest.skip(f"no package index can be reached here: {error.details[-200:]}")


def test_an_index_that_does_not_answer_is_told(
    project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, uv's own lines, the way out; no password in any of them."""
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:s3cret@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(ResolvingFailedError) as caught:
        resolve(project("zeta"), Target(python=HERE))
    assert caught.value.message.startswith("the packages could not be looked up:")
    assert "127.0.0.1:9" in caught.value.details
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.network
@pytest.mark.usefixtures("online")
def test_a_lock_holds_the_wheels_of_its_platform(project: Callable[..., Project]) -> None:
    """Locked for another machine, with a hash and a size for every file."""
    lock = asked(lambda: resolve(project("pillow==12.0.0"), Target(python="3.13", platform="linux/arm64")))
    (pillow,) = lock.packages
    assert pillow.version == "12.0.0"
    assert pillow.wheels
    assert all("cp313" in one.name and "aarch64" in one.name for one in pillow.wheels)
    assert all(one.sha256 and len(one.sha256) == 64 and one.size for one in pillow.wheels)


@pytest.mark.network
@pytest.mark.usefixtures("online")
def test_the_servers_lock_has_what_the_release_was_tested_with() -> None:
    """The versions installed here, for an image of another Python."""
    from importlib.metadata import version

    lock = asked(lambda: server_lock(Target(python="3.12", platform="linux/amd64")))
    found = {one.name: one.version for one in lock.packages}
    for name in ("httptools", "msgspec", "pybase64"):
        assert found[name] == version(name)
    assert not any(name.startswith("opentelemetry") for name in found)


@pytest.mark.network
@pytest.mark.usefixtures("online")
def test_a_server_that_traces_has_what_that_needs() -> None:
    """OpenTelemetry comes into the image of a model whose cog.yaml asks for traces, and into no other."""
    target = Target(python="3.10", platform="linux/arm64")
    found = {one.name for one in asked(lambda: server_lock(target, tracing=True)).packages}
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "msgspec", "httpx"} <= found
