"""The data folder, as the commands of an operator take it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cogyard.compose.datadir import DataDir

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

data_dir: Decorator = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="COGYARD_DATA_DIR",
    metavar="DIR",
    help="The platform's folder; the user's data folder unless given.",
)


def open_folder(given: Path | None) -> DataDir:
    """Return the data folder that was named, or the default one."""
    from cogyard.compose.datadir import DataDir
    from cogyard.compose.settings import default_data_dir

    return DataDir((given or default_data_dir()).expanduser().absolute())
