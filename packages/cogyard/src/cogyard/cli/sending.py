"""A push as people see it: a bar for each layer on a terminal, a line for each layer elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cogyard.cli.build import size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from cogyard.cli.console import Console
    from cogyard.oci.descriptor import Descriptor

#: Blobs below this are there before a bar could be seen.
_SMALL = 256 << 10


class Sending:
    """A Watcher of one push. Make it with `sending`."""

    def __init__(self, console: Console, bars: Progress | None) -> None:
        self._console = console
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self.spared = 0
        """Bytes that were there already, or mounted."""

    def sent(self, title: str, blob: Descriptor, position: int) -> None:
        """Show how far a layer is."""
        if self._bars is None or blob.size < _SMALL:
            return
        if blob.digest not in self._tasks:
            self._tasks[blob.digest] = self._bars.add_task(title[:40], total=blob.size)
        self._bars.update(self._tasks[blob.digest], completed=position)

    def done(self, title: str, blob: Descriptor, how: str) -> None:
        """Show that a layer is there."""
        if self._bars is not None and blob.digest in self._tasks:
            self._bars.remove_task(self._tasks.pop(blob.digest))
        if how == "uploaded":
            self._say(f"  {title[:60]} sent ({size(blob.size)})")
        else:
            self.spared += blob.size
            if how == "mounted":
                self._say(f"  {title[:60]} taken from another model there ({size(blob.size)})")

    def _say(self, line: str) -> None:
        if self._bars is None:
            self._console.say(line)
        else:
            self._bars.console.print(line, markup=False, highlight=False)  # above the bars


@contextmanager
def sending(console: Console, text: str) -> Iterator[Sending]:
    """Show a push for the length of a block."""
    if console.quiet or not console.terminal:
        console.say(text)
        yield Sending(console, None)
        return
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    rich = RichConsole(file=console.stream, no_color=not console.colour, highlight=False)
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(24),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    console.say(text)
    with Progress(*columns, console=rich, transient=True, redirect_stdout=False) as bars:
        yield Sending(console, bars)
