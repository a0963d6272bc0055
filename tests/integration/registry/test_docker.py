"""Docker pushes to the registry and pulls from it, by its own rules for logging in."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from collections.abc import Iterator

import pytest

from tests.docker import Docker
from tests.integration.registry.conftest import Running

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
LABEL = """LABEL run.cog.openapi_schema='{"openapi":"3.0.2"}'"""


@pytest.fixture
def image(docker: Docker, registry: Running) -> Iterator[str]:
    """Import an image of one file, under a name in the registry."""
    tar = io.BytesIO()
    content = secrets.token_bytes(100_000)
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    name = f"{registry.host}/alice/model:v1"
    imported = docker("import", "--change", LABEL, "-", name, stdin=tar.getvalue())
    assert imported.returncode == 0, imported.stderr
    yield name
    docker("rmi", "--force", name)


def login(docker: Docker, registry: Running, username: str, password: str) -> bytes:
    """Log in; return what was said on failure."""
    done = docker("login", "--username", username, "--password-stdin", registry.host, stdin=password.encode())
    return done.stderr if done.returncode else b""


def test_docker_pushes_and_pulls(docker: Docker, registry: Running, image: str) -> None:
    """The same image comes back, and the push was told of with its labels."""
    assert login(docker, registry, "alice", "cyd_alice") == b""
    pushed = docker("push", image)
    assert pushed.returncode == 0, pushed.stderr
    (seen,) = registry.pushes.seen
    assert (seen.repository, seen.tag, seen.platform) == ("alice/model", "v1", "linux/amd64")
    assert json.loads(seen.labels["run.cog.openapi_schema"]) == {"openapi": "3.0.2"}
    before = docker("inspect", "--format", "{{.Id}}", image).stdout
    assert docker("rmi", "--force", image).returncode == 0
    pulled = docker("pull", image)
    assert pulled.returncode == 0, pulled.stderr
    assert seen.digest.encode() in pulled.stdout
    assert docker("inspect", "--format", "{{.Id}}", image).stdout == before
    by_digest = f"{registry.host}/alice/model@{seen.digest}"
    assert docker("pull", by_digest).returncode == 0
    docker("rmi", by_digest)


def test_a_wrong_password_is_refused(docker: Docker, registry: Running) -> None:
    """By `docker login` itself, in our words."""
    said = login(docker, registry, "alice", "wrong")
    assert b"The user name or the password is wrong" in said


def test_somebody_elses_model_is_denied(docker: Docker, registry: Running, image: str) -> None:
    """And nothing is left of the attempt."""
    assert login(docker, registry, "bob", "cyd_bob") == b""
    pushed = docker("push", image)
    assert pushed.returncode != 0
    assert b"alice/model belongs to alice" in pushed.stderr
    assert registry.people.models == {}


def test_a_private_image_is_not_there_for_strangers(docker: Docker, registry: Running, image: str) -> None:
    """A public one is, without logging in."""
    login(docker, registry, "alice", "cyd_alice")
    assert docker("push", image).returncode == 0
    docker("logout", registry.host)
    assert docker("pull", image).returncode != 0
    registry.people.models["alice/model"] = True
    pulled = docker("pull", image)
    assert pulled.returncode == 0, pulled.stderr
