"""Ask the package index, or a uv.lock, for a set of packages; nothing is kept here (`cogyard.environment.resolve`)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cogyard.environment import accelerate, pylock, uv
from cogyard.environment.asked import Asked
from cogyard.environment.compiling import NO_SOLUTION, PLAIN, Build, builds, compile_in
from cogyard.environment.errors import ResolvingFailedError, UnresolvableError
from cogyard.environment.exported import export
from cogyard.environment.target import Target
from cogyard.environment.trusted import only_trusted


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A lock's document, the builds it was made with, and what a person should know about it."""

    document: pylock.Table
    build: Build = PLAIN
    warnings: tuple[str, ...] = ()


def answer(
    asked: Asked, target: Target, *, prefer: pylock.Table | None = None, on_progress: uv.Progress = uv.silent
) -> Answer:
    """Return the lock's document, asked for anew; where it can, with the versions of the lock `prefer`.

    Raises as `resolve`; UnresolvableError too when the packages bring a CUDA that cog.yaml does not allow.
    """
    if asked.pyproject is not None and asked.locked_by_uv:
        on_progress("Reading uv.lock")
        found = Answer(document=export(asked.pyproject, target, on_progress))
    else:
        on_progress("Resolving packages")
        found = _compile(asked, target, prefer, on_progress)
    if asked.wish is None:
        return found
    packages = found.document["packages"]
    differing = accelerate.mismatch(packages, asked.wish)
    if differing is not None and differing.fatal:
        raise UnresolvableError(differing.sentence)
    said = [differing.sentence] if differing else []
    if not found.build.extras:
        added = " and ".join(accelerate.extras(asked.named_lines, asked.wish))
        said.append(
            f"{added} cannot be had from this index, so CUDA must come from the base image or the machine"
        )
    if not asked.wish.gpu and (unwanted := accelerate.unwanted(packages)):
        said.append(unwanted)
    return Answer(document=found.document, build=found.build, warnings=tuple(said))


def _compile(asked: Asked, target: Target, prefer: pylock.Table | None, on_progress: uv.Progress) -> Answer:
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        if prefer is not None:
            (folder / "pylock.toml").write_text(pylock.render(prefer), "utf-8")
        arguments = ["--format", "pylock.toml", "--generate-hashes", "--output-file", "pylock.toml"]
        tried = builds(asked)
        for build in tried:
            outcome = compile_in(folder, asked, target, arguments, build=build, quick=bool(build.arguments))
            if outcome.status == 0:
                break
        if outcome.status == NO_SOLUTION:
            raise UnresolvableError(
                f"no set of packages fits what {asked.subject} asks for, on Python {target.python}:",
                details=outcome.messages,
                hint=_way_out(asked, target, outcome.messages, on_progress)
                or f"Change {asked.named} or python_version in cog.yaml.",
            )
        if outcome.status != 0:
            raise ResolvingFailedError(
                "the packages could not be looked up:",
                details=outcome.messages,
                hint="Is the package index reachable from here? UV_DEFAULT_INDEX names another one.",
            )
        document = pylock.parse((folder / "pylock.toml").read_text("utf-8"))
        document = only_trusted(document, (*asked.lines, *asked.constraints), asked.subject)
        return Answer(document=pylock.for_target(document, target, folder), build=build)


def _way_out(asked: Asked, target: Target, words: str, on_progress: uv.Progress) -> str | None:
    if asked.wish is None or os.environ.get("UV_OFFLINE"):
        # our own packages are tried again in another way; without the network, what is not there may well exist
        return None
    from cogyard.environment.conflict import constrained, explain
    from cogyard.environment.oracle import UvOracle

    on_progress("Looking for what does not fit")
    try:
        python, lines = target.python, asked.named_lines
        free = UvOracle(msgspec.structs.replace(asked, constraints=()), target)
        found = constrained(
            lines, asked.constraints, python, oracle=UvOracle(asked, target), free=free, words=words
        )
        # What does not fit without constraints is not explained by them, nor is what there is of a package.
        return found or explain(lines, python, free, words)
    except ResolvingFailedError:
        return None
