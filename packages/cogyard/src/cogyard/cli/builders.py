"""Who builds: the options `--builder` and `--secret`, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.errors import MisuseError
from cogyard.cli.options import Decorator

if TYPE_CHECKING:
    from cogyard.engine import Builder, Client
    from cogyard.image.steps.engine import Means

builder_option: Decorator = click.option(
    "--builder",
    type=click.Choice(["auto", "direct", "docker", "podman"]),
    default="auto",
    show_default=True,
    envvar="COG_BUILDER",
    help="Who builds. `direct` needs no container engine; `docker` or `podman` installs system packages and runs the "
    "commands of `run` in the engine, and does the rest directly. `auto` takes an engine where one is needed. "
    "Also COG_BUILDER.",
)

secret_option: Decorator = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="id=NAME,src=FILE",
    help="A file that commands of `run` may mount as a secret; it is in no layer. `id=NAME,env=VARIABLE` takes a "
    "variable. May be given several times.",
)


@contextmanager
def means_of(builder: str, secrets: Sequence[str], client: Client | None = None) -> Iterator[Means]:
    """Give what the options say; the values of variables are in private files for the length of the block.

    `client` is the engine to take where one is needed, instead of one that is found.

    Raises MisuseError for a secret in another form, or that is not there.
    """
    from cogyard.image.steps.engine import Means

    find: Callable[[str], Builder | None] = find_builder
    if client is not None:
        from cogyard.engine import builder_of

        ready = builder_of(client, os.environ)
        find = lambda _: ready  # noqa: E731 - one of two
    if not secrets:
        yield Means(builder=builder, find=find, secrets={})
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:  # of mode 0700
        yield Means(builder=builder, find=find, secrets=dict(_secret(text, Path(folder)) for text in secrets))


def find_builder(choice: str) -> Builder | None:
    """Return the engine of a choice, ready to build; None when `auto` finds none."""
    from cogyard import engine

    client = engine.find(choice)
    return None if client is None else engine.builder_of(client, os.environ)


def _secret(text: str, folder: Path) -> tuple[str, Path]:
    pairs = [each.partition("=") for each in text.split(",")]
    values = {name.strip(): value for name, _, value in pairs}
    source = values.get("src") or values.get("source")
    variable = values.get("env")
    name = values.get("id", "")
    if not name or not name.isprintable() or "/" in name or bool(source) == bool(variable):
        raise MisuseError(
            f"failed to parse --secret `{text}`", hint="The form is id=NAME,src=FILE or id=NAME,env=VARIABLE."
        )
    if variable:
        value = os.environ.get(variable)
        if value is None:
            raise MisuseError(f"--secret id={name}: there is no variable {variable}")
        path = folder / name
        path.write_text(value, "utf-8")
        return name, path
    path = Path(source or "").expanduser().absolute()
    if not path.is_file():
        raise MisuseError(f"--secret id={name}: there is no file {path}")
    return name, path
