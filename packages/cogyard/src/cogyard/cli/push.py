"""`cog push`: build the image and send it to a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.build import (
    Wish,
    attest_option,
    base_option,
    build_image,
    platform_option,
    refresh_option,
    size,
)
from cogyard.cli.builders import builder_option, secret_option
from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError
from cogyard.cli.options import config_file
from cogyard.cli.sending import sending

if TYPE_CHECKING:
    from cogyard.oci.reference import Reference


@click.command(short_help="Build the image and send it to a registry.")
@click.argument("image", required=False, metavar="[HOST/OWNER/NAME]")
@builder_option
@secret_option
@base_option
@platform_option
@refresh_option
@attest_option
@click.option(
    "--check",
    "checked",
    is_flag=True,
    help="Push only when the examples of cog-test.yaml pass and the schema breaks no caller of the pushed `latest`.",
)
@click.option("--force", is_flag=True, help="With --check: push a schema that breaks callers all the same.")
@click.option(
    "--stored",
    metavar="IMAGE",
    help="Send this image of the local store as it is; nothing is built, no project needed.",
)
@config_file
@click.pass_context
def push(
    context: click.Context,
    /,
    *,
    image: str | None,
    checked: bool,
    force: bool,
    stored: str | None,
    filename: str,
    **asked: Any,
) -> None:
    """Build the image and send it to a registry, as HOST/OWNER/NAME.

    On a platform of Cogyard the push makes a version of the model; a model that is not there yet is made, private.
    Credentials are those of `cog login`, or docker's. Only what the registry lacks is sent, and an upload that broke
    off goes on where it was, also when the command is called again. Weights beside an image go with it.
    """
    from cogyard.cli.prepare import open_project
    from cogyard.image.sender import Sender
    from cogyard.oci.reference import Reference

    console = Console()
    if stored is not None:
        _refuse_with_stored(context)
    project = open_project(filename, Console(quiet=True)) if stored is None else None
    name = image or (stored if project is None else project.image or project.config.model)
    if name is None:
        raise MisuseError(
            "it is not said where to push to",
            hint="cog push HOST/OWNER/NAME, or `image: HOST/OWNER/NAME` in cog.yaml.",
        )
    if force and not checked:
        raise MisuseError(
            "--force says to push what --check would refuse; without --check nothing is refused"
        )
    target = _target(name)
    with Sender(target) as sender:
        from cogyard.image.build import local_store  # while the registry is asked

        store = local_store()
        if stored is not None:
            reference = Reference.parse(store.image(Reference.parse(stored)).name)
            sender.allowed()
        else:
            wish = Wish(tag=name, **asked)
            built = build_image(console, store, filename, wish, project=project, allowed=sender.allowed)
            reference = built.reference
        if checked:
            from cogyard.cli.safely import check_examples, check_schema

            check_schema(console, store.image(reference), target, force=force)
            check_examples(console, filename)
        with sending(console, f"Pushing {target.familiar}") as watcher:
            pushed = sender.send(store, reference, watcher)
    console.done(
        f"Pushed {target.familiar} ({size(pushed.uploaded)} sent, {size(watcher.spared)} were there already)"
    )
    if pushed.page is not None:
        console.say(f"\nRun your model: {pushed.page}")
    click.echo(f"{target.name}@{pushed.digest}")


def _target(name: str) -> Reference:
    """Read where to push to; a name alone, or a host alone, would be one of docker.io's own images."""
    from cogyard.oci.reference import Reference

    target = Reference.parse(name)
    if "/" not in name:
        host = name == "localhost" or (target.tag or "").isdecimal() or "." in name
        raise MisuseError(
            f"`{name}` names no owner and no model"
            if host
            else f"`{name}` says neither where to nor whose it is",
            hint=f"Write: cog push {name}/OWNER/NAME" if host else f"Write: cog push HOST/OWNER/{name}",
        )
    return target


def _refuse_with_stored(context: click.Context) -> None:
    """Refuse options that say how to build, or what to try, beside --stored."""
    given = click.core.ParameterSource.COMMANDLINE
    for option in context.command.params:
        name = option.name or ""
        if name not in {"image", "stored"} and context.get_parameter_source(name) is given:
            raise MisuseError(
                f"{option.opts[0]} is for an image that is built from its project, and --stored builds none"
            )
