"""Users and passwords of indexes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.environment.asked import Asked
from cogyard.environment.credentials import Credentials
from cogyard.environment.lock import Lock
from cogyard.project.pyproject import read_pyproject


def test_they_come_from_wherever_they_stand() -> None:
    """Options, requirements, variables in both, and uv's own settings."""
    asked = Asked(
        options=(
            "--index-url https://me:one@a.example/simple",
            "--find-links http://${U}:${P}@b.example:81/flat",
        ),
        lines=("x @ git+https://token@c.example/x.git", "y"),
        constraints=("z @ https://me:four@d.example/z.whl",),
    )
    variables = {
        "U": "you",
        "P": "tw%40",
        "UV_INDEX": "mine=https://us:five@E.example/simple https://f.example/",
    }
    found = Credentials.of(asked, variables)
    assert found.find("https://a.example/files/a.whl") == ("me", "one")
    assert found.find("http://b.example:81/a.whl") == ("you", "tw@")
    assert found.find("https://c.example/x.git") == ("token", "")
    assert found.find("https://d.example/") == ("me", "four")
    assert found.find("https://e.example/") == ("us", "five")
    assert found.find("https://own:word@f.example/") == ("own", "word")


def test_one_servers_password_goes_to_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another port or scheme is another server."""
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    found = Credentials.of(Asked(options=("--index-url https://me:one@a.example:8443/simple",)), {})
    for url in (
        "https://a.example/",
        "http://a.example:8443/",
        "https://b.a.example:8443/",
        "https://a.example:844/",
    ):
        assert found.find(url) is None


def test_netrc_is_asked_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the host's name; a file that is none gives nothing."""
    file = tmp_path / "netrc"
    file.write_text("machine a.example login me password one\n")
    monkeypatch.setenv("NETRC", str(file))
    assert Credentials().find("https://a.example/x") == ("me", "one")
    assert Credentials().find("https://b.example/x") is None
    file.write_text("machine\x00 nonsense")
    assert Credentials().find("https://a.example/x") is None


def test_named_indexes_of_pyproject_have_theirs_in_variables(tmp_path: Path) -> None:
    """As uv reads them."""
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[project]\nname = "m"\nversion = "1"\n'
        '[[tool.uv.index]]\nname = "my-own"\nurl = "https://a.example/simple"\n'
        '[[tool.uv.index]]\nurl = "https://me:two@b.example/simple"\n'
    )
    asked = Asked(pyproject=read_pyproject(path, "3.12"))
    variables = {"UV_INDEX_MY_OWN_USERNAME": "me", "UV_INDEX_MY_OWN_PASSWORD": "one"}
    found = Credentials.of(asked, variables)
    assert found.find("https://a.example/x.whl") == ("me", "one")
    assert found.find("https://b.example/x.whl") == ("me", "two")


def test_uv_and_git_are_told_by_variables() -> None:
    """Arguments can be read by everybody on the machine; what a person has set stays."""
    found = Credentials.of(Asked(options=("--index-url https://me:one@a.example/simple",)), {})
    assert Credentials().settings({}) == {}
    settings = found.settings({"UV_INDEX": "https://x.example/simple", "GIT_CONFIG_COUNT": "1"})
    assert settings["UV_INDEX"] == "https://x.example/simple https://me:one@a.example/"
    assert settings["GIT_CONFIG_COUNT"] == "2"
    assert settings["GIT_CONFIG_KEY_1"] == "url.https://me:one@a.example/.insteadOf"
    assert settings["GIT_CONFIG_VALUE_1"] == "https://a.example/"


def test_they_are_in_no_text() -> None:
    """A value that is printed by mistake shows nothing."""
    found = Credentials.of(Asked(options=("--index-url https://me:one@a.example/simple",)), {})
    assert "one" not in repr(found)
    assert "me:one" not in repr(Lock("text", "3.12", credentials=found))


def test_a_lock_is_the_same_whoever_may_fetch_it() -> None:
    """Passwords count for no comparison; everything else does."""
    found = Credentials.of(Asked(options=("--index-url https://me:one@a.example/simple",)), {})
    assert Lock("text", "3.12", credentials=found) == Lock("text", "3.12")
    assert hash(Lock("text", "3.12", credentials=found)) == hash(Lock("text", "3.12"))
    assert Lock("text", "3.12", warnings=("old",)) != Lock("text", "3.12")
    assert Lock("text", "3.12") != "text"
