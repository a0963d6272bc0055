"""`cog push --check`: nothing is sent that breaks callers, or that fails its own examples."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cogyard.cli.console import RED, YELLOW
from cogyard.cli.errors import CommandError

if TYPE_CHECKING:
    from cogyard.cli.console import Console
    from cogyard.oci.layout import StoredImage
    from cogyard.oci.reference import Reference


class BreakingError(CommandError):
    """The new schema breaks those who call the pushed one."""

    code = "schema_breaks_callers"


class ExamplesFailedError(CommandError):
    """The project's own examples fail."""

    code = "examples_failed"


def check_schema(console: Console, built: StoredImage, target: Reference, *, force: bool) -> None:
    """Compare a built image with the one that is pushed as `latest`; `force` lets a breaking change through.

    Raises BreakingError.
    """
    from cogyard.image.compare import difference
    from cogyard.image.fetch import pushed

    before = asyncio.run(pushed(target.with_tag("latest"), built.config.architecture))
    if before is None:
        console.done(f"Nothing to compare with: {target.name} has no `latest` yet")
        return
    found = difference(before, built)
    if found.schema is None:
        console.warn("The schema cannot be compared: one of the images has none")
        return
    for change in found.schema:
        mark = console.paint("✗", RED) if change.breaking else console.paint("·", YELLOW)
        console.say(f"  {mark} {change}")
    if not found.breaking:
        console.done(f"Every caller of {target.name} still fits")
    elif force:
        console.warn(f"The new schema breaks callers of {target.name}; it is pushed because of --force")
    else:
        count = sum(change.breaking for change in found.schema)
        raise BreakingError(
            f"the new schema breaks callers of {target.name} ({count} change{'s' if count > 1 else ''} above), "
            "and nothing was pushed",
            hint="Keep the old inputs and output, or push it all the same with --force.",
        )


def check_examples(console: Console, filename: str) -> None:
    """Run the examples of cog-test.yaml, as `cog test` does; without the file there is nothing to run.

    Raises ExamplesFailedError.
    """
    from cogyard.cli.running import Wish
    from cogyard.cli.test import FAILED, Session
    from cogyard.project import find_root
    from cogyard.project.errors import ProjectMissingError
    from cogyard.project.examples import EXAMPLES_NAME, read_examples

    root = find_root(Path.cwd(), filename)
    try:
        examples = read_examples(root)
    except ProjectMissingError:
        console.warn(f"There is no {EXAMPLES_NAME}, so only the schema was checked")
        return
    with tempfile.TemporaryDirectory(prefix="cog-") as scratch:
        wish = Wish(filename=filename, scratch=Path(scratch))
        session = Session(wish=wish, root=root, examples=examples, first=False, as_json=True, console=console)
        results = session.run()
    failed = [result for result in results if result.outcome == FAILED]
    for result in failed:
        console.say(f"  {console.paint('✗', RED)} {result.example.name}: {'; '.join(result.problems)}")
    if failed:
        raise ExamplesFailedError(
            f"{len(failed)} of {len(results)} examples fail, and nothing was pushed",
            hint="`cog test` shows what the model says to each.",
        )
    console.done(f"{len(results)} examples go as expected")
