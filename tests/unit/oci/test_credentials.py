"""Credentials live where docker keeps them, readable by their owner alone."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from cogyard.oci.authorization import Credential
from cogyard.oci.credentials import CredentialsError, config_path, find, keep

ME = Credential(username="me", password="a:b")


def test_what_is_kept_is_found_in_dockers_form(tmp_path: Path) -> None:
    """Docker reads what we keep, other entries stay, and the file is for its owner only."""
    path = tmp_path / "deep" / "config.json"
    assert keep("127.0.0.1:80", ME, path) == str(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "psFormat": "x"}))
    keep("a.b", Credential(username="o", password="p"), path)
    config = json.loads(path.read_text())
    assert config["psFormat"] == "x"
    assert base64.b64decode(config["auths"]["127.0.0.1:80"]["auth"]) == b"me:a:b"
    assert path.stat().st_mode & 0o777 == 0o600
    assert find("127.0.0.1:80", path) == ME
    assert find("c.d", path) is None


def test_docker_hubs_old_key_is_used(tmp_path: Path) -> None:
    """Docker Hub's entry is under the address docker has always used."""
    path = tmp_path / "config.json"
    keep("docker.io", ME, path)
    assert list(json.loads(path.read_text())["auths"]) == ["https://index.docker.io/v1/"]
    assert find("docker.io", path) == ME


@pytest.mark.parametrize("key", ["a.b", "https://a.b", "http://a.b", "https://a.b/v2/"])
def test_older_keys_are_found(tmp_path: Path, key: str) -> None:
    """Tools have written the host in several forms."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {key: {"username": "u", "password": "p"}}}))
    assert find("a.b", path) == Credential(username="u", password="p")


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_broken_file_is_named_and_not_overwritten(tmp_path: Path, text: str) -> None:
    """A file that is not docker's is neither guessed at nor replaced."""
    path = tmp_path / "config.json"
    path.write_text(text, "latin-1")
    with pytest.raises(CredentialsError):
        find("a.b", path)
    with pytest.raises(CredentialsError):
        keep("a.b", ME, path)
    assert path.read_text("latin-1") == text


@pytest.mark.parametrize(
    "entry", [{}, {"auth": "%%%"}, {"auth": "bm9jb2xvbg=="}, {"username": 1, "password": 2}, "x", None]
)
def test_entries_that_say_nothing_are_passed_over(tmp_path: Path, entry: object) -> None:
    """An empty or broken entry counts as none."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"a.b": entry}}))
    assert find("a.b", path) is None


def test_the_named_helper_keeps_and_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where docker is configured with a credential helper, it is asked instead of the file."""
    helper = tmp_path / "docker-credential-fake"
    helper.write_text(
        f'#!/bin/sh\nif [ "$1" = store ]; then cat > {tmp_path}/kept; else read h; [ "$h" = a.b ] || exit 1;'
        ' echo \'{"Username":"u","Secret":"s"}\'; fi\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credHelpers": {"a.b": "fake", "c.d": "fake"}}))
    assert find("a.b", path) == Credential(username="u", password="s")
    assert find("c.d", path) is None
    assert keep("a.b", ME, path) == "docker-credential-fake"
    assert json.loads((tmp_path / "kept").read_text()) == {
        "ServerURL": "a.b",
        "Username": "me",
        "Secret": "a:b",
    }
    assert "auths" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'credentials not found in native keychain'; exit 1", ""),
        ("echo 'the keychain is locked'; exit 1", "the keychain is locked"),
        ("echo '{{{'", "gave no credential"),
        ("printf '\\377\\376'", "gave no credential"),
        (None, "does not run"),
    ],
)
def test_a_helper_that_fails_is_told_and_passed_over(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    script: str | None,
    said: str,
) -> None:
    """What is public can be had without it; that nothing is kept for a host is no failure."""
    if script is not None:
        helper = tmp_path / "docker-credential-fake"
        helper.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
        helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "config.json"
    path.write_text('{"credHelpers": {"a.example": "fake"}}')
    assert find("a.example", path) is None
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


@pytest.mark.parametrize("name", ["../../bin/sh", "x;rm", "missing-helper-of-nobody"])
def test_a_helper_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    """A helper's name is never a path or a command line."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": name}))
    assert find("a.b", path) is None
    with pytest.raises(CredentialsError):
        keep("a.b", ME, path)


def test_the_folder_is_dockers(tmp_path: Path) -> None:
    """DOCKER_CONFIG names the folder, as for docker itself."""
    assert config_path({"DOCKER_CONFIG": str(tmp_path)}) == tmp_path / "config.json"
    assert config_path({}).parts[-2:] == (".docker", "config.json")
