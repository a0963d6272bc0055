"""`cog debug`: the Dockerfile of the image."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cogyard.cli.build import base_option
from cogyard.cli.builders import find_builder
from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError
from cogyard.cli.options import config_file


@click.command(short_help="Show the image as a Dockerfile.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write the Dockerfile and all it adds into a folder, for `docker build FOLDER` without cog.",
)
@click.option(
    "--buildkit/--no-buildkit",
    default=None,
    help="For BuildKit and podman, or for Docker's older builder; as the engine here unless given.",
)
@base_option
@config_file
def debug(*, output: Path | None, buildkit: bool | None, base: str | None, filename: str) -> None:
    """Print the Dockerfile that makes the same image with an engine alone.

    `cog build` makes the layers of its ADD lines itself; its RUN lines are what an engine is given.
    """
    from cogyard.cli.prepare import model_schema, open_project
    from cogyard.environment import cache_dir
    from cogyard.image.build import local_store, order_of
    from cogyard.image.make import Making
    from cogyard.image.platforms import local_platform
    from cogyard.image.prepare import prepare
    from cogyard.image.site import Site
    from cogyard.image.steps.context import describe, write_context

    console = Console()
    project = open_project(filename, console)
    if buildkit is None:
        engine = find_builder("auto") if project.run else None
        buildkit = engine is None or engine.mounts
    site = Site(store=local_store(), cache=cache_dir())
    order = order_of(project, base=base, platform=local_platform(), schema=model_schema(project, console))
    ready = prepare(order, site, engine=False)
    text = describe(order, ready, mounts=buildkit)
    if output is not None:
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
        making = Making(base=ready.base, lock=ready.lock.text, schema=order.schema, epoch=epoch)
        try:
            write_context(output, text, ready, making, site)
        except OSError as error:
            raise MisuseError(f"{output} cannot be written: {error.strerror}") from None
        # Clients before 23 take their older builder unless they are told, and that knows no mounts.
        first = "DOCKER_BUILDKIT=1 " if "RUN --mount" in text else ""
        console.done(f"Written {output}; build it with: {first}docker build {output}")
    click.echo(text, nl=False)
