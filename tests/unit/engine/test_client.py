"""Which engine is taken, what is read of an image, and the words a container is run with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

import pytest
from cogyard.engine import ContainerError, EngineError, EngineMissingError, ImageFacts, Settings, find
from cogyard.engine.client import Client, last_line


def program(folder: Path, name: str, body: str) -> Path:
    """Write a stand-in for an engine's command."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_no_engine_is_looked_for_when_none_is_wanted() -> None:
    """`none` asks nobody."""
    assert find("none", which=lambda name: pytest.fail(f"{name} was looked for")) is None


def test_auto_takes_the_first_that_answers(tmp_path: Path) -> None:
    """A docker command without a running Docker is passed over for podman."""
    there = {
        "docker": str(program(tmp_path, "docker", "echo no daemon >&2; exit 1")),
        "podman": str(program(tmp_path, "podman", "exit 0")),
    }
    found = find("auto", which=there.get)
    assert found is not None
    assert (found.name, found.program) == ("podman", tmp_path / "podman")
    assert find("auto", which=lambda _name: None) is None


def test_an_engine_that_was_named_must_be_there(tmp_path: Path) -> None:
    """Absent or silent, it is an error that says which and why."""
    with pytest.raises(EngineMissingError, match="no `podman` command"):
        find("podman", which=lambda _name: None)
    silent = str(program(tmp_path, "docker", "echo Cannot connect >&2; exit 1"))
    with pytest.raises(EngineMissingError, match="docker does not answer: Cannot connect"):
        find("docker", which=lambda _name: silent)


def test_an_images_facts_are_read(tmp_path: Path) -> None:
    """Labels and command tell whose server is inside and what goes in."""
    said = [
        {
            "Id": "sha256:1",
            "Config": {
                "Labels": {"run.cog.openapi_schema": '{"openapi": "3.0.2"}'},
                "Cmd": ["python", "-m", "cog.server.http"],
            },
        }
    ]
    client = Client(name="docker", program=program(tmp_path, "docker", f"cat <<'X'\n{json.dumps(said)}\nX"))
    facts = client.image("x")
    assert facts is not None
    assert (facts.id, facts.schema, facts.is_ours, facts.is_model) == (
        "sha256:1", {"openapi": "3.0.2"}, False, True,
    )  # fmt: skip
    ours = ImageFacts(id="2", command=("/opt/cog/server/bin/python", "-m", "cog_server"))
    assert (ours.is_ours, ours.is_model, ours.schema) == (True, True, None)
    assert not ImageFacts(id="3", labels={"run.cog.openapi_schema": "{"}).schema
    assert not ImageFacts(id="4", labels={"maintainer": "x"}).is_model


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", '[{"Config": {}}]', "[1]", '[{"Id": "1", "Config": "x"}]']
)
def test_an_engine_that_talks_nonsense_is_an_error(tmp_path: Path, answer: str) -> None:
    """What cannot be read is never a traceback."""
    client = Client(name="docker", program=program(tmp_path, "docker", f"echo '{answer}'"))
    with pytest.raises(EngineError, match="described the image x in a way not known here"):
        client.image("x")


def test_an_image_the_engine_does_not_take(tmp_path: Path) -> None:
    """`docker load` that fails says why, also when it stops reading at once."""
    client = Client(name="docker", program=program(tmp_path, "docker", "echo no space left; exit 1"))
    with pytest.raises(EngineError, match="docker did not take the image: no space left"):
        client.load(write_much)


def write_much(out: IO[bytes]) -> None:
    """Write more than a pipe holds."""
    for _ in range(100):
        out.write(b"x" * 65536)


def test_values_of_variables_are_not_on_the_command_line() -> None:
    """Other users of the machine can read command lines."""
    settings = Settings(
        image="me/model", env={"TOKEN": "secret"}, gpus="all", publish="127.0.0.1:0", command=["python"]
    )
    words = settings.arguments("cog-1", "docker")
    assert "secret" not in " ".join(words)
    assert words[words.index("-e") + 1] == "TOKEN"
    assert words[words.index("-p") + 1] == "127.0.0.1::5000"
    assert words[words.index("--gpus") + 1] == "all"
    assert words[-2:] == ["me/model", "python"]
    fixed = Settings(image="x", publish="[::1]:8393").arguments("n", "docker")
    assert fixed[fixed.index("-p") + 1] == "[::1]:8393:5000"


def test_the_last_line_that_says_something() -> None:
    """Empty lines at the end say nothing."""
    assert last_line("a\n b \n\n") == "b"
    assert last_line("") == ""
    assert issubclass(ContainerError, EngineError)


@pytest.mark.parametrize(("mode", "shared"), [("host", True), ("bridge", False), ("slirp4netns", False)])
def test_podman_is_asked_whose_network_containers_have(tmp_path: Path, mode: str, shared: bool) -> None:
    """Of a container that is made for it, not started, and removed again; Docker has no such setting."""
    body = f"""echo "$@" >> {tmp_path}/asked
case "$1" in create) echo c1 ;; inspect) echo {mode} ;; esac"""
    client = Client(name="podman", program=program(tmp_path, "podman", body))
    assert client.on_host_network("model") is shared
    asked = (tmp_path / "asked").read_text().splitlines()
    assert (asked[0], asked[-1]) == ("create --pull never model", "rm --force c1")
    assert not Client(name="docker", program=client.program).on_host_network("model")
    refusing = Client(name="podman", program=program(tmp_path, "refusing", "exit 125"))
    assert not refusing.on_host_network("model")


def test_on_the_machine_s_network_the_server_listens_where_it_would_be_published() -> None:
    """On that address alone; a server that reads no HOST is told in its command."""
    settings = Settings(
        image="x", env={"A": "1"}, publish="127.0.0.1:8393", host_command=("serve", "--host", "127.0.0.1")
    )
    direct = settings.on_host_network(lambda _host: 0)
    assert (direct.direct, direct.publish) == ("127.0.0.1:8393", None)
    assert direct.env == {"A": "1", "HOST": "127.0.0.1", "PORT": "8393"}
    assert "-p" not in direct.arguments("n", "docker")
    assert direct.arguments("n", "docker")[-4:] == ["x", "serve", "--host", "127.0.0.1"]
    any_port = Settings(image="x", publish="127.0.0.1:0").on_host_network(lambda _host: 4321)
    assert (any_port.direct, any_port.env["PORT"]) == ("127.0.0.1:4321", "4321")
    assert Settings(image="x", publish="[::1]:80").on_host_network(lambda _host: 0).direct == "[::1]:80"
