"""`cog serve`: the model's HTTP API on this machine."""

from __future__ import annotations

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, SilentExitError
from cogyard.cli.options import config_file, read_variables, setup_timeout, variables

DEFAULT_PORT = 8393


@click.command(short_help="Serve the model's HTTP API on this machine.")
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where to listen; 0 takes any free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 lets other machines in, with no password.",
)
@click.option(
    "--upload-url", metavar="URL", help="Where output files are sent; into the answer unless given."
)
@variables
@setup_timeout
@config_file
def serve(
    *,
    port: int,
    host: str,
    upload_url: str | None,
    variables: tuple[str, ...],
    setup_timeout: float | None,
    filename: str,
) -> None:
    """Serve the model's HTTP API until Ctrl-C, as its image does on port 5000.

    POST /predictions runs it; GET /openapi.json describes it.
    """
    from cog_server.serving import ServerOptions
    from cog_server.serving import serve as serve_model

    from cogyard.cli.prepare import open_project, prepare

    console = Console()
    environment = read_variables(variables)
    project = open_project(filename, console)
    if project.ref is None and project.train_ref is None:
        raise CommandError(f"{filename} names nothing to serve")
    prepared = prepare(project, console)

    def listening(address: str) -> None:
        console.done(f"Model starting in environment {prepared.name}\n")
        console.say(f"Serving at {address}\nPOST {address}/predictions runs the model; Ctrl-C ends it.\n")

    status = serve_model(
        ServerOptions(
            python=prepared.environment.python,
            project=project.root,
            ref=project.ref,
            train_ref=project.train_ref,
            host=host,
            port=port,
            upload_url=upload_url,
            concurrency=project.config.concurrency.max,
            setup_timeout=setup_timeout,
            allow_private_inputs=True,
            env=prepared.variables(environment),
            on_listening=listening,
        )
    )
    console.say("\nStopped.")
    if status:
        raise SilentExitError(status)
