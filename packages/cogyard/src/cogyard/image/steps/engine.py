"""What a build asks of a container engine, and how a build finds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol

import msgspec

from cogyard.image.errors import BuildNotPossibleError
from cogyard.image.steps.dockerfile import Steps, check_mounts
from cogyard.project import Project

AUTO = "auto"
DIRECT = "direct"
#: What `--builder` and COG_BUILDER may say.
CHOICES = (AUTO, DIRECT, "docker", "podman")


class StepEngine(Protocol):
    """A container engine that builds. A fake is `cogyard.testing.steps.FakeStepEngine`."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def mounts(self) -> bool:
        """Whether RUN takes mounts of secrets and caches."""
        ...

    def load(self, name: str, config_digest: str, fill: Callable[[IO[bytes]], None]) -> None:
        """Have the image `name` of this configuration; `fill` writes it as an archive where it is not there yet."""
        ...

    def build(
        self,
        name: str,
        dockerfile: str,
        *,
        secrets: Mapping[str, Path],
        fresh: bool,
        on_line: Callable[[str], None],
    ) -> None:
        """Build the image `name`, passing on what is said line by line; `fresh` repeats steps that it remembers.

        Raises a CogyardError with the last words of a step that failed.
        """
        ...

    def save(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Give an image as a docker archive, to be read once from its beginning to its end."""
        ...


def nobody(choice: str) -> StepEngine | None:  # noqa: ARG001 - the form of Means.find
    """Find no engine."""
    return None


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """Who builds: the choice, how an engine is found for it, and the secrets that steps may read.

    `find` returns None for `auto` where no engine answers, and raises for a named one that does not.
    """

    builder: str = AUTO
    find: Callable[[str], StepEngine | None] = nobody
    secrets: Mapping[str, Path] = msgspec.field(default_factory=dict)

    def engine(self, project: Project) -> StepEngine | None:
        """Return the engine when it is certain that one is needed; called before any work.

        Raises BuildNotPossibleError naming the step that needs an engine, or a secret, that is not there.
        """
        if self.builder not in {AUTO, DIRECT}:
            found = self.find(self.builder)
            self._check(project, found)
            return found
        if not project.run:
            return None
        first = f"the first of {len(project.run)} steps" if len(project.run) > 1 else "the step"
        why = f"cog.yaml has build steps of its own: {first} is {project.run[0].command[:60]!r}"
        if self.builder == DIRECT:
            raise BuildNotPossibleError(
                f"{why}, and the direct builder runs no commands",
                hint="Leave --builder (or COG_BUILDER) out, or say --builder docker or podman.",
            )
        engine = self.find(AUTO)
        if engine is None:
            raise BuildNotPossibleError(
                f"{why}, which needs a container engine, and none answers on this machine",
                hint="Start Docker or podman. Or do without: system_packages installs Debian packages, "
                "python_packages Python's.",
            )
        self._check(project, engine)
        return engine

    def for_packages(self, why: BuildNotPossibleError) -> StepEngine:
        """Return an engine for system packages that the direct builder cannot set up; raise `why` without one."""
        engine = self.find(AUTO) if self.builder == AUTO else None
        if engine is None:
            raise why
        return engine

    def _check(self, project: Project, engine: StepEngine | None) -> None:
        check_mounts(project.run, mounts=engine is not None and engine.mounts)
        wanted = Steps(commands=project.run).secrets
        missing: Sequence[str] = [name for name in wanted if name not in self.secrets]
        if missing:
            raise BuildNotPossibleError(
                f"a step of cog.yaml mounts the secret {missing[0]!r}, which is not given",
                hint=f"Say where it is: --secret id={missing[0]},src=FILE",
            )
