"""`cogyard up`: the whole platform in this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.errors import MisuseError, SilentExitError
from cogyard.cli.ready_file import ReadyFile
from cogyard.errors import CogyardError

if TYPE_CHECKING:
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
    arguments = {
        "port": port,
        "host": host,
        "data_dir": data_dir,
        "public_url": public_url,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_format": log_format,
        "runtime": runtime,
    }
    _run(arguments, config, pairs, Wished(admin, print_token=print_token, ready=ReadyFile(ready_file)))


@dataclass(frozen=True, slots=True)
class Wished:
    """What a start is to do besides its settings."""

    admin: str | None
    print_token: bool
    ready: ReadyFile


def _run(arguments: Mapping[str, Any], config: Path | None, pairs: tuple[str, ...], wished: Wished) -> None:
    from cogyard.cli.telling import Events, telling
    from cogyard.compose.logs import configure
    from cogyard.compose.running import Start, run
    from cogyard.compose.settings import load, misspelt_variables

    settings = load(arguments, os.environ, config, pairs=_pairs(pairs))
    configure(level=settings.log_level, style=settings.log_format, access_log=settings.access_log)
    tell = telling(settings)
    for line in misspelt_variables(os.environ):
        tell.doubt(line)
    wished.ready.check()

    def ready(welcome: Welcome) -> None:
        tell.ready(welcome)
        wished.ready.write(welcome)

    start = Start(
        administrator=wished.admin,
        print_token=wished.print_token,
        # Logs are kept and read by many: a token gets there only when somebody asks for it.
        first_token=not isinstance(tell, Events) or wished.ready.path is not None,
        taken=wished.ready.remove,
        ready=ready,
        stopping=tell.stopping,
    )
    try:
        whole = run(settings, start)
    except CogyardError as error:
        if not isinstance(tell, Events):
            raise
        tell.failed(error)
        raise SilentExitError(error.exit_status) from error
    wished.ready.remove()
    tell.stopped()
    if not whole:
        raise SilentExitError(_INTERRUPTED)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = dict[str, str]()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise MisuseError(f"--set {text}: the form is NAME=VALUE")
        pairs[name.strip().replace("-", "_")] = value
    return pairs
