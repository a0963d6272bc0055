"""`cog exec`: any command in the model's environment."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Protocol

import pytest


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...


def test_a_command_runs_in_the_environment_with_its_variables(words: Command) -> None:
    """The environment's Python, the variables of cog.yaml and -e, the current folder, standard input."""
    config = words.folder / "cog.yaml"
    config.write_text(config.read_text() + "environment: [COLOUR=green, SIZE=1]\n")
    (words.folder / "below").mkdir()
    script = (
        "import cog, os, sys; print(sys.prefix != sys.base_prefix, os.environ['COLOUR'], os.environ['SIZE'], "
        "os.path.basename(os.getcwd()), input())"
    )
    done = words("exec", "-e", "SIZE=2", "python", "-c", script, stdin="said\n")
    assert (done.returncode, done.stdout) == (0, "True green 2 project said\n")
    moved = subprocess.run(
        ["sh", "-c", 'cd below && exec "$0" exec pwd', str(_executable())],
        cwd=words.folder, env=_environment(words), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert moved.stdout.strip() == str((words.folder / "below").resolve())


def test_the_server_starts_by_its_name_in_cog(words: Command) -> None:
    """`cog exec python -m cog.server.http`, with the options that Cog's server has, serves the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [
        "exec",
        "-e",
        f"PORT={port}",
        "python",
        "-m",
        "cog.server.http",
        "--threads=1",
        "--host",
        "127.0.0.1",
    ]
    with subprocess.Popen(
        [_executable(), *line], cwd=words.folder, env=_environment(words), stderr=subprocess.DEVNULL
    ) as server:
        try:
            found: dict[str, str] = {}
            while found.get("status") != "READY" and server.poll() is None:
                with (
                    contextlib.suppress(OSError),
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health-check") as a,
                ):
                    found = json.loads(a.read())
                time.sleep(0.05)
            assert found["status"] == "READY"
        finally:
            server.terminate()


def test_run_with_a_command_is_exec(words: Command) -> None:
    """As Cog until 0.18, and with a warning to this day; the exit status is the command's."""
    done = words("run", "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert "write `cog exec COMMAND`" in done.stderr


def test_what_follows_the_command_belongs_to_it(words: Command) -> None:
    """Options after the command are its own, also those that cog knows."""
    done = words("exec", "echo", "--help", "-e", "A=b", "-f", "x")
    assert done.stdout == "--help -e A=b -f x\n"


@pytest.mark.parametrize(
    ("words_given", "status"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], -9),
        (["no-such-command"], 127),
        ([], 2),
    ],
)
def test_the_exit_status_is_the_commands_own(words: Command, words_given: list[str], status: int) -> None:
    """A status and a signal pass through; a command that is not there is 127, none at all is misuse."""
    done = words("exec", *words_given)
    assert done.returncode == status
    if status == 127:
        assert "there is no command `no-such-command`" in done.stderr
        assert "cog.yaml" in done.stderr


def test_a_file_that_is_no_program_is_126(words: Command) -> None:
    """What the system refuses to run is told in words."""
    broken = words.folder / "broken"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    done = words("exec", "./broken")
    assert done.returncode == 126
    assert "`./broken` cannot be run" in done.stderr


def test_a_port_that_is_none_is_told(words: Command) -> None:
    """--publish concerns containers; for processes it is said that it does nothing."""
    done = words("exec", "-p", "8888", "true")
    assert done.returncode == 0
    assert "--publish say nothing to processes" in done.stderr


def _executable() -> str:
    import sys

    return str(Path(sys.executable).parent / "cog")


def _environment(command: Command) -> dict[str, str]:
    assert shutil.which("sh")
    found: dict[str, str] = getattr(command, "env", dict(os.environ))
    return found
