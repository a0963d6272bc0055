"""Weights beside an image that runs in a container: mounted by every command, waited for by `docker run`."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker import Docker
from tests.e2e.cli.test_weights import Person, fill

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.slow, pytest.mark.xdist_group("docker")]
IMAGE = "cogyard-weights-test"
TARGET = "/data/net"


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory, docker: Docker, cache: Path) -> Iterator[Person]:
    """Give somebody who has imported weights and built an image, with no project below its weights' place."""
    folder = tmp_path_factory.mktemp("project")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COG")}
    own = {
        "DOCKER_HOST": docker.host,
        "DOCKER_CONFIG": str(docker.config),
        "COGYARD_CACHE_DIR": str(cache),
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_COLOR": "1",
    }
    found = Person(folder, {**kept, **own})
    found.write(uri=str(fill(tmp_path_factory.mktemp("source") / "w")), target=TARGET, place=TARGET)
    text = (folder / "cog.yaml").read_text()
    (folder / "cog.yaml").write_text(text.replace(text.split('"')[1], "3.11"))
    found.done("weights", "import")
    built = found.cog("build", "-t", IMAGE, "--no-load")
    if built.returncode:
        pytest.skip(f"an image cannot be built here: {built.stderr[-300:]}")
    yield found
    docker("image", "rm", "--force", IMAGE, "cog-project0")


def test_a_project_s_weights_are_mounted_into_its_container(person: Person) -> None:
    """Also at a place that is not in the project."""
    assert person.done("predict", "--engine", "docker", "-i", "number=1") == "two\n"


def test_an_image_s_weights_are_mounted_into_its_container(person: Person) -> None:
    """As they came beside it."""
    assert person.done("predict", IMAGE, "--engine", "docker", "-i", "number=2") == "three\n"


def test_an_image_run_by_docker_alone_says_what_it_waits_for(person: Person, docker: Docker) -> None:
    """At once, with the way to mount it; mounted so, it runs."""
    person.done("predict", IMAGE, "--engine", "docker")  # docker has the image then
    said = _until(docker, [], "Waiting for the weights words at /data/net")
    assert "-v FOLDER:TARGET:ro" in said
    target, folder = person.done("weights", "pull").split()
    assert target == TARGET
    code = (
        "import time, urllib.request, json\n"
        "for _ in range(600):\n"
        "    try:\n"
        "        found = json.load(urllib.request.urlopen('http://127.0.0.1:5000/health-check'))['status']\n"
        "    except OSError:\n"
        "        found = ''\n"
        "    if found == 'READY':\n"
        "        break\n"
        "    time.sleep(0.1)\n"
        "print(found)\n"
    )
    name = f"cog-test-{secrets.token_hex(4)}"
    assert docker("run", "--detach", "--name", name, "-v", f"{folder}:{TARGET}:ro", IMAGE).returncode == 0
    try:
        assert docker("exec", name, "python3", "-c", code).stdout == b"READY\n", docker("logs", name).stderr
    finally:
        docker("rm", "--force", name)


def _until(docker: Docker, options: list[str], words: str) -> str:
    """Run the image until it says something; return all it said."""
    name = f"cog-test-{secrets.token_hex(4)}"
    assert docker("run", "--detach", "--name", name, *options, IMAGE).returncode == 0
    try:
        deadline = time.monotonic() + 50
        while True:
            done = docker("logs", name)
            said = (done.stdout + done.stderr).decode()
            if words in said:
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
    finally:
        docker("rm", "--force", name)


def test_weights_that_are_not_on_this_machine_are_told(person: Person, tmp_path: Path) -> None:
    """Before a container is started."""
    elsewhere = Person(person.folder, {**person.env, "COGYARD_CACHE_DIR": str(tmp_path)})
    said = elsewhere.failed("predict", "--engine", "docker")
    assert "files are not here" in said
    assert "cog weights pull" in said
