"""`cog exec`: run a command in the project's environment."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError, SilentExitError
from cogyard.cli.options import config_file, engine, gpus, read_variables, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cogyard.project import Project

#: What a shell ends with when there is no such command, or it cannot be run.
NOT_FOUND, NOT_RUN = 127, 126


class NotRunError(CommandError):
    """The command could not be run."""

    code = "command_not_run"

    def __init__(self, message: str, *, hint: str | None = None, exit_status: int = NOT_RUN) -> None:
        super().__init__(message, hint=hint)
        self.exit_status = exit_status


@click.command(
    "exec",
    short_help="Run a command in the project's environment.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, metavar="COMMAND [ARGUMENT]...")
@click.option(
    "-p",
    "--publish",
    "ports",
    multiple=True,
    metavar="PORT|HOST:PORT",
    help="A port of the container that is to be reached; processes need none. May be given several times.",
)
@variables
@engine
@gpus
@config_file
def exec_(
    *,
    words: tuple[str, ...],
    ports: tuple[str, ...],
    variables: tuple[str, ...],
    engine: str,
    gpus: str | None,
    filename: str,
) -> None:
    """Run a command in the environment of cog.yaml, in the current folder.

    Everything after the command belongs to it. Ends with the command's own exit status; 127 when there is no such
    command, 126 when it cannot be run.
    """
    if not words:
        raise MisuseError("no command was given", hint="For example: cog exec python -c 'import numpy'")
    given = read_variables(variables)
    console = Console()
    if engine in {"docker", "podman"}:
        _contained(words, given, console, choice=engine, ports=ports, gpus=gpus, filename=filename)
        return
    if gpus is not None or ports:
        console.warn(
            "--gpus and --publish say nothing to processes: they see every GPU and use ports directly"
        )
    _replaced(words, given, filename, console)


def _replaced(words: tuple[str, ...], given: Mapping[str, str], filename: str, console: Console) -> None:
    """Become the command: its signals, terminal and exit status are then nobody else's."""
    from cogyard.cli.prepare import open_project, prepare

    prepared = prepare(open_project(filename, console), console)
    environment = {**os.environ, **_server(prepared.project), **prepared.variables(given)}
    for name in ("PYTHONPATH", "PYTHONHOME"):
        if not environment.get(name):
            environment.pop(name, None)  # as good as none to Python, and less confusing to everybody else
    program = shutil.which(words[0], path=environment["PATH"])
    if program is None:
        raise NotRunError(
            f"there is no command `{words[0]}` in the environment or on this machine",
            hint="A package's command comes with the package: name it in cog.yaml."
            if "/" not in words[0]
            else None,
            exit_status=NOT_FOUND,
        )
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(program, list(words), environment)  # noqa: S606 - running what was asked for is the point
    except OSError as error:
        raise NotRunError(f"`{words[0]}` cannot be run: {error.strerror}") from error


def _server(project: Project) -> dict[str, str]:
    """Return the variables by which `python -m cog.server.http` finds the server, and the server the model."""
    found = {"COG_PREDICT_TYPE_STUB": project.ref, "COG_TRAIN_TYPE_STUB": project.train_ref}
    return {"COG_SERVER_PYTHON": sys.executable, **{name: ref for name, ref in found.items() if ref}}


def _contained(
    words: tuple[str, ...],
    given: Mapping[str, str],
    console: Console,
    *,
    choice: str,
    ports: tuple[str, ...],
    gpus: str | None,
    filename: str,
) -> None:
    """Run the command in a container of the project's image, with the project's folder in the place of its source."""
    import subprocess

    from cogyard.cli.contained import build_into, required
    from cogyard.cli.prepare import open_project
    from cogyard.engine.gpus import gpu_words
    from cogyard.image.build import default_name

    client = required(choice)
    project = open_project(filename, Console(quiet=True))
    image = project.image or default_name(project)
    build_into(client, image, filename, console)
    below = Path.cwd().resolve()
    inside = below.relative_to(project.root) if below.is_relative_to(project.root) else Path()
    line = [str(client.program), "run", "--rm", "--interactive"]
    if client.name == "docker":
        # podman often comes without the program it needs for --init; the tini of an image may then stand second.
        line += ["--init", "--env", "TINI_SUBREAPER=1"]
    if sys.stdin.isatty() and sys.stdout.isatty():
        line.append("--tty")
    line += ["--volume", f"{project.root}:/src", "--workdir", (Path("/src") / inside).as_posix()]
    for port in ports:
        line += ["--publish", _published(port)]
    line += gpu_words(client.name, gpus)
    for name in given:
        line += ["--env", name]
    done = subprocess.run([*line, image, *words], env={**os.environ, **given}, check=False)
    if done.returncode:
        raise SilentExitError(done.returncode if done.returncode > 0 else 128 - done.returncode)


def _published(text: str) -> str:
    """Return PORT or HOST:PORT as the engine wants it; only this machine reaches a port without a host."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise MisuseError(f"`-p {text}` is not a port", hint="Write PORT or HOST:PORT, such as 8888.")
    return f"{host or '127.0.0.1'}:{port}:{port}"
