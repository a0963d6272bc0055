"""`cogyard up`: the whole platform in this process."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.console import BOLD, Console
from cogyard.cli.errors import CommandError, MisuseError, SilentExitError

if TYPE_CHECKING:
    from cogyard.compose.running import Start
    from cogyard.compose.settings import Settings
    from cogyard.compose.welcome import Welcome

_INTERRUPTED = 130


@click.command(short_help="Start the platform on this machine.")
@click.option("--port", metavar="NUMBER", help="The port to listen on; 0 takes a free one.  [default: 8000]")
@click.option(
    "--host",
    metavar="ADDRESS",
    help="The address to listen on; 0.0.0.0 lets others in.  [default: 127.0.0.1]",
)
@click.option(
    "--data-dir", metavar="DIR", help="The folder that holds everything; made when it is not there."
)
@click.option(
    "--public-url", metavar="URL", help="How others reach the platform, behind a proxy or another name."
)
@click.option(
    "--tls-cert", metavar="FILE", help="Answer by https with this certificate (PEM, with those above it)."
)
@click.option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
@click.option(
    "--log-format",
    metavar="text|json",
    help="One line for people, or one JSON object, for each event.  [default: text]",
)
@click.option(
    "--runtime",
    metavar="NAME",
    help="How models run: sandbox, docker, process, or auto, the most isolated one here.  [default: auto]",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A TOML file of settings.",
)
@click.option(
    "-s",
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other setting; may be given several times.",
)
@click.option(
    "--admin", metavar="NAME", help="The administrator made at the first start; your user name unless given."
)
@click.option(
    "--print-token", is_flag=True, help="Make the administrator a new token and sign-in link, at any start."
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write address, token and link there, as JSON, once requests are answered.",
)
def up(
    *,
    port: str | None,
    host: str | None,
    data_dir: str | None,
    public_url: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    log_format: str | None,
    runtime: str | None,
    config: Path | None,
    pairs: tuple[str, ...],
    admin: str | None,
    print_token: bool,
    ready_file: Path | None,
) -> None:
    """Start the platform: pages, API, registry and the instances that run models, until Ctrl-C.

    The first start makes an administrator and prints a link that signs in once, and a token.
    """
    from cogyard.compose.logs import configure
    from cogyard.compose.running import run
    from cogyard.compose.settings import load, misspelt_variables

    console = Console()
    arguments: dict[str, Any] = {
        "port": port,
        "host": host,
        "data_dir": data_dir,
        "public_url": public_url,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_format": log_format,
        "runtime": runtime,
    }
    settings = load(arguments, os.environ, config, pairs=_pairs(pairs))
    for line in misspelt_variables(os.environ):
        console.warn(line)
    configure(level=settings.log_level, style=settings.log_format, access_log=settings.access_log)
    if ready_file is not None:
        _check(ready_file)

    start = _start(console, settings, ready_file, administrator=admin, print_token=print_token)
    whole = run(settings, start)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    console.say("Stopped.")
    if not whole:
        raise SilentExitError(_INTERRUPTED)


def _start(
    console: Console,
    settings: Settings,
    ready_file: Path | None,
    *,
    administrator: str | None,
    print_token: bool,
) -> Start:
    """Return what is said and written as the platform starts and stops."""
    from cogyard.compose.running import Start

    def taken() -> None:
        # Not before: the file may be that of a platform that runs, and holds its token.
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)

    def ready(welcome: Welcome) -> None:
        _greet(console, settings, welcome)
        if ready_file is not None:
            _write(ready_file, welcome)

    def stopping(running: int) -> None:
        console.say()
        if running:
            console.say(
                f"Waiting for {running} running prediction{'s' * (running > 1)}; Ctrl-C again stops at once."
            )

    return Start(
        administrator=administrator, print_token=print_token, taken=taken, ready=ready, stopping=stopping
    )


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = dict[str, str]()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise MisuseError(f"--set {text}: the form is NAME=VALUE")
        pairs[name.strip().replace("-", "_")] = value
    return pairs


def _greet(console: Console, settings: Settings, welcome: Welcome) -> None:
    console.done(f"Cogyard is running at {console.paint(welcome.public_address, BOLD)}")
    if welcome.first_start:
        console.say(f"\nThe administrator {welcome.administrator} was made.")
    if welcome.link:
        console.say(f"  Sign in, once, within an hour:  {welcome.link}")
    if welcome.token:
        console.say(f"  API token, shown only now:      {welcome.token}")
    if welcome.first_start:
        console.say(f"  Everything is kept in:          {settings.data_dir}")
    console.say(f"\n{_how_models_run(welcome)}")
    if welcome.recovered:
        console.say(f"{welcome.recovered} interrupted predictions run again.")
    console.say("\nCtrl-C stops it.\n")


def _how_models_run(welcome: Welcome) -> str:
    if welcome.isolated:
        return f"Models run isolated ({welcome.runtime})."
    better = [f"{name}: {reason}" for name, reason in welcome.passed_over.items()]
    why = f" An isolated runtime is not to be had here ({'; '.join(better)})." if better else ""
    return f"Models run as your own user, not isolated: host only models that you trust.{why}"


def _check(path: Path) -> None:
    """See before anything starts that the ready file can be written."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        raise CommandError(f"the ready file {path} cannot be written: {error.strerror}") from error


def _write(path: Path, welcome: Welcome) -> None:
    """Write the ready file whole, readable by its owner alone: there is a token in it."""
    content = {
        "address": welcome.address,
        "public_address": welcome.public_address,
        "administrator": welcome.administrator,
        "token": welcome.token,
        "link": welcome.link,
        "pid": os.getpid(),
    }
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            json.dump(content, file)
        Path(name).replace(path)
    except OSError as error:
        raise CommandError(f"the ready file {path} cannot be written: {error.strerror}") from error
