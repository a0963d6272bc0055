"""The options that say which model a command runs, and how; the same for every command that runs one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogyard.cli.options import config_file, engine, gpus, read_variables, setup_timeout, variables

if TYPE_CHECKING:
    from cogyard.cli.running import Wish

_OPTIONS = (variables, setup_timeout, engine, gpus, config_file)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What was given for --env, --setup-timeout, --engine, --gpus and --file, as click read it."""

    variables: tuple[str, ...]
    setup_timeout: float | None
    engine: str
    gpus: str | None
    filename: str

    @contextmanager
    def wish(self, *, image: str | None = None, training: bool = False) -> Iterator[Wish]:
        """Give what is wished of the model, with a folder for the command's files that goes at the end.

        Raises MisuseError for a variable that is not NAME=value.
        """
        import tempfile

        from cogyard.cli.running import Wish

        given = read_variables(self.variables)
        with tempfile.TemporaryDirectory(prefix="cog-") as scratch:
            yield Wish(
                image=image,
                filename=self.filename,
                engine=self.engine,
                gpus=self.gpus,
                variables=given,
                setup_timeout=self.setup_timeout,
                training=training,
                scratch=Path(scratch),
            )


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options; it receives them together, as `model`."""

    @functools.wraps(command)
    def collected(
        *,
        variables: tuple[str, ...],
        setup_timeout: float | None,
        engine: str,
        gpus: str | None,
        filename: str,
        **others: object,
    ) -> object:
        model = ModelOptions(
            variables=variables, setup_timeout=setup_timeout, engine=engine, gpus=gpus, filename=filename
        )
        return command(model=model, **others)

    decorated: Callable[..., Any] = collected
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
