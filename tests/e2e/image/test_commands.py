"""build, push, login, images and inspect as people call them: what they print, what they keep, how they end."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.registry.conftest import Running, registry

__all__ = ["registry"]

COG = Path(sys.executable).parent / "cog"
CONFIG = 'build:\n  python_version: "3.11"\npredict: "predict.py:Predictor"\n'
PREDICT = """from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(self, text: str = Input(description="whom to greet")) -> str:
        return "hello " + text
"""


STEPS = CONFIG.replace('"3.11"', '"3.11"\n  run: ["make"]')


@dataclass(frozen=True)
class Shell:
    """A person's project folder and home."""

    folder: Path
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def cog(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run cog in the project."""
        return subprocess.run(
            [COG, *arguments], cwd=self.folder, env=self.environment, input=stdin, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """The variables commands see: a home and caches of their own."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("COG", "DOCKER", "XDG"))
        }
        own = {
            "HOME": str(self.home),
            "DOCKER_HOST": "unix:///nowhere.sock",
            "COGYARD_CACHE_DIR": str(self.home / "cache"),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        return {**kept, **own, **self.env}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give a small project."""
    folder, home = tmp_path / "Hello Model", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (folder / "cog.yaml").write_text(CONFIG)
    (folder / "predict.py").write_text(PREDICT)
    return Shell(folder=folder, home=home)


@pytest.fixture
def page() -> Iterator[str]:
    """Run a web server that is no registry; give its HOST:PORT."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def said(done: subprocess.CompletedProcess[str], *words: str, status: int) -> None:
    """Hold a failed command to its exit status and words; it never shows a traceback and prints no result."""
    assert done.returncode == status, done.stderr
    for each in words:
        assert each in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "config", "words", "status"),
    [
        (["build", "--builder", "direct"], STEPS, ["'make'", "--builder docker"], 2),
        (["build", "--builder", "docker"], STEPS, ["docker does not answer"], 1),
        (["build", "--secret", "token"], CONFIG, ["id=NAME,src=FILE"], 2),
        (["build", "--secret", "id=a,src=/nowhere/x"], CONFIG, ["/nowhere/x"], 2),
        (["build", "--secret", "id=a,env=NOT_SET_ANYWHERE"], CONFIG, ["NOT_SET_ANYWHERE"], 2),
        (["build", "-t", ""], CONFIG, ["this has 0"], 2),
        (["build", "-t", "Bad Name"], CONFIG, ["Bad Name"], 2),
        (["build", "-t", "a.b/Me/model"], CONFIG, ["capital letters", "me/model"], 2),
        (["build", "--base", "./none.tar"], CONFIG, ["no such file"], 1),
        (["build", "--base", "assemble:potato"], CONFIG, ["bookworm, trixie"], 1),
        (["build", "--platform", "windows/amd64"], CONFIG, ["linux/amd64"], 2),
        (["build", "--openapi-schema", "none.json"], CONFIG, ["none.json"], 2),
        (
            ["build", "--base", "assemble"],
            CONFIG.replace("3.11", "3.15"),
            ["3.15", "3.10 or 3.11 or 3.12 or 3.13 or 3.14"],
            1,
        ),
        (["push"], CONFIG, ["HOST/OWNER/NAME"], 2),
        (["push", "http://a.b/c"], CONFIG, ["scheme"], 2),
        (["login", "not a host"], CONFIG, ["HOST"], 2),
        (["inspect", "nothing"], CONFIG, ["nothing:latest", "cog images"], 1),
    ],
)
def test_mistakes_are_named_before_any_work(
    shell: Shell, arguments: list[str], config: str, words: list[str], status: int
) -> None:
    """Each mistake ends with its exit status and says what to do; no image is named."""
    (shell.folder / "cog.yaml").write_text(config)
    said(shell.cog(*arguments), *words, status=status)
    assert shell.cog("images").stdout == ""


def test_no_mirror_is_explained(shell: Shell) -> None:
    """A mirror that is not there is named, not its absence in some later step."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}/debian"
    done = Shell(folder=shell.folder, home=shell.home, env={"COGYARD_DEBIAN_MIRROR": closed}).cog(
        "build", "--base", "assemble"
    )
    said(done, closed, status=1)


def test_a_token_is_kept_when_it_is_valid(shell: Shell, registry: Running) -> None:
    """The right token is kept for its owner alone, in docker's form; the file says whose it is only in there."""
    done = shell.cog("login", registry.host, "--token-stdin", stdin="cyd_alice\n")
    assert done.returncode == 0, done.stderr
    assert "as alice" in done.stderr
    assert "cyd_alice" not in done.stderr + done.stdout
    path = shell.home / ".docker" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(json.loads(path.read_text())["auths"]) == [registry.host]


def test_the_first_ctrl_c_ends_the_question(shell: Shell, registry: Running) -> None:
    """Whoever is asked for a token and has none at hand gets out by one Ctrl-C, not by the second."""
    asking = subprocess.Popen(
        [COG, "login", registry.host], cwd=shell.folder, env=shell.environment, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    with asking:
        assert asking.stderr is not None
        seen = b""
        while b"Token:" not in seen:
            piece = os.read(asking.stderr.fileno(), 1000)
            assert piece, seen
            seen += piece
        asking.send_signal(signal.SIGINT)
        try:
            assert asking.wait(60) == 130
        finally:
            asking.kill()
    assert not (shell.home / ".docker").exists()


def test_a_wrong_token_is_not_kept(shell: Shell, registry: Running, page: str) -> None:
    """Neither a wrong token nor a host that is no registry leaves anything behind."""
    said(shell.cog("login", registry.host, "--token-stdin", stdin="cyd_nobody\n"), "does not know", status=1)
    said(shell.cog("login", registry.host, "--token-stdin", stdin="\n"), "empty", status=2)
    said(shell.cog("login", page, "--token-stdin", stdin="x\n"), "not a registry", status=1)
    said(shell.cog("login", "127.0.0.1:1", "--token-stdin", stdin="x\n"), "cannot be reached", status=1)
    assert not (shell.home / ".docker").exists()


def test_a_password_is_checked_too(shell: Shell, registry: Running) -> None:
    """With a user name the registry's ordinary login is used, and the password checked by it."""
    wrong = shell.cog("login", registry.host, "--username", "alice", "--token-stdin", stdin="wrong")
    said(wrong, "credentials of alice", status=1)
    right = shell.cog("login", registry.host, "--username", "alice", "--token-stdin", stdin="alicealice")
    assert right.returncode == 0, right.stderr


def test_a_registry_that_refuses_is_asked_before_building(shell: Shell, registry: Running, page: str) -> None:
    """No credentials, somebody else's name, no registry, nobody there: said at once, with the next step."""
    target = f"{registry.host}/alice/hello"
    said(shell.cog("push", target), f"cog login {registry.host}", status=1)
    said(shell.cog("push", "127.0.0.1:1/alice/hello"), "cannot be reached", status=1)
    shell.cog("login", registry.host, "--token-stdin", stdin="cyd_bob\n")
    said(shell.cog("push", f"{page}/alice/hello", "--base", "./none.tar"), "", status=1)
    assert registry.pushes.seen == []
    assert not (shell.home / "cache" / "layers").exists()


def test_a_warning_is_said_once(shell: Shell) -> None:
    """A push reads the project once: for the name to push to, and to build it."""
    (shell.folder / "cog.yaml").write_text(
        CONFIG.replace('"3.11"', '"3.11"\n  python_packages: ["cog==0.9"]')
    )
    done = shell.cog("push", "127.0.0.1:1/alice/hello")
    said(done, "cannot be reached", status=1)
    assert done.stderr.count("left out") == 1


@pytest.mark.network
@pytest.mark.slow
def test_the_whole_way_to_a_version(shell: Shell, registry: Running) -> None:
    """Log in, push, look: the registry has the image that the local store shows, under the digest that was printed."""
    shell.cog("login", registry.host, "--token-stdin", stdin="cyd_alice\n")
    target = f"{registry.host}/alice/hello"
    done = shell.cog("push", target, "--base", "assemble")
    if "cannot be fetched" in done.stderr or "no Debian mirror" in done.stderr:
        pytest.skip("no package index or Debian mirror")
    assert done.returncode == 0, done.stderr
    digest = done.stdout.strip().removeprefix(f"{target}@")
    assert [push.digest for push in registry.pushes.seen] == [digest]
    assert f"{registry.host}/alice/hello" in done.stderr.partition("Run your model:")[2]
    shown = json.loads(shell.cog("inspect", target, "--json").stdout)
    assert shown["digest"] == digest
    assert shell.cog("images", "--quiet").stdout.split() == [f"{target}:latest"]
    other = shell.cog("push", f"{registry.host}/bob/hello", "--base", "assemble")
    said(other, "bob", status=1)
    assert len(registry.pushes.seen) == 1
    _a_checked_push_is_safe(shell, target, registry)
    _stopped_build_leaves_nothing(shell)


def _a_checked_push_is_safe(shell: Shell, target: str, registry: Running) -> None:
    """Examples that fail and a schema that breaks callers are refused, and only the latter can be forced."""
    predict, examples = shell.folder / "predict.py", shell.folder / "cog-test.yaml"
    pushed = len(registry.pushes.seen)
    checked = ("push", target, "--base", "assemble", "--check")
    predict.write_text(PREDICT.replace('"hello "', '"good day "'))
    examples.write_text("examples:\n  - name: greets\n    input: {text: x}\n    output: hello x\n")
    said(shell.cog(*checked), "greets", "1 of 1 examples fail", "nothing was pushed", status=1)
    examples.write_text("examples:\n  - input: {text: x}\n    output: good day x\n")
    fine = shell.cog(*checked)
    assert fine.returncode == 0, fine.stderr
    assert "still fits" in fine.stderr
    assert "1 examples go as expected" in fine.stderr
    assert "were there already" in fine.stderr
    predict.write_text(PREDICT.replace("text: str", "name: str").replace("+ text", "+ name"))
    examples.unlink()
    said(shell.cog(*checked), "✗ input text: removed", "breaks callers", "--force", status=1)
    assert len(registry.pushes.seen) == pushed + 1
    forced = shell.cog(*checked, "--force")
    assert forced.returncode == 0, forced.stderr
    assert len(registry.pushes.seen) == pushed + 2
    said(shell.cog("push", target, "--force"), "--check", status=2)


def _stopped_build_leaves_nothing(shell: Shell) -> None:
    """Ctrl-C in the middle ends with 130, names nothing, and leaves no half-written files."""
    process = subprocess.Popen(
        [COG, "build", "-t", "stopped", "--base", "assemble", "--no-cache"],
        cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in {130, 0}  # 0: the machine was quicker than the signal
    if process.returncode == 130:
        assert "stopped" not in shell.cog("images").stdout
    assert list((shell.home / "cache").rglob("*.part")) == []
    assert list((shell.home / "cache" / "images" / "tmp").iterdir()) == []
