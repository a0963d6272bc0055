"""The data folder, as the commands of an operator take it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cogyard.compose.datadir import DataDir

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_CONFIG = "cogyard.config"


def _keep_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    context.meta[_CONFIG] = value


def _or_of_the_file(context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Take the folder that was named, else the one of the settings file, so that one file speaks to all commands."""
    file = context.meta.get(_CONFIG)
    if value is not None or file is None:
        return value
    from cogyard.compose.settings import load

    # Nothing of the environment: it has been looked at, and wins.
    return load({}, {}, file).data_dir


_config: Decorator = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="COGYARD_CONFIG",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_keep_config,
    help="The platform's settings file, which may name its folder.",
)
_data_dir: Decorator = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="COGYARD_DATA_DIR",
    metavar="DIR",
    callback=_or_of_the_file,
    help="The platform's folder; the settings file's, or the user's data folder, unless given.",
)


def data_dir(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--data-dir`, and `--config`, which it does not see."""
    return _data_dir(_config(command))


def open_folder(given: Path | None) -> DataDir:
    """Return the data folder that was named, or the default one."""
    from cogyard.compose.datadir import DataDir
    from cogyard.compose.settings import default_data_dir

    return DataDir((given or default_data_dir()).expanduser().absolute())
