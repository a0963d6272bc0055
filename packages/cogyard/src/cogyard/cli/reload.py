"""`cog serve --reload`: watch the project's files, and restart the model's worker when one changes.

Polled by time and size, because that works on every file system, in containers and over networks alike; a look at a
thousand files takes some milliseconds, and happens in a thread of its own.
"""

from __future__ import annotations

import glob
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cogyard.project import Project, ProjectError
from cogyard.project.ignore import source_files

#: Seconds between two looks.
EVERY = 0.5
#: Files whose content the worker reads when it is asked; a change of one needs no restart.
_NOT_CODE = frozenset({".md", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".log", ".swp"})

Seen = Mapping[str, tuple[int, int]]


def look(project: Project) -> Seen:
    """Return time and size of every file of the source that may matter to the worker."""
    found = {}
    for file in source_files(project):
        if file.is_folder or file.path.suffix.lower() in _NOT_CODE or file.name.endswith("~"):
            continue
        try:
            status = file.path.stat()
        except OSError:
            continue  # gone since it was listed, or a link that leads nowhere
        found[file.name] = (status.st_mtime_ns, status.st_size)
    return found


def difference(before: Seen, after: Seen) -> list[str]:
    """Return the names that came, went or changed, sorted."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def forget_bytecode(root: Path, names: Iterable[str]) -> None:
    """Remove what any Python has compiled of changed files.

    Python takes it for the source's while that has the same size and the same second of change, and an edit by a
    program may have both.
    """
    for name in names:
        source = root / name
        if source.suffix == ".py":
            for compiled in source.parent.glob(f"__pycache__/{glob.escape(source.stem)}.*.pyc"):
                with suppress(OSError):
                    compiled.unlink()


@dataclass(kw_only=True)
class Watcher:
    """Watch a project in a thread; `on_change` is told, there, which files changed."""

    project: Project
    on_change: Callable[[list[str]], None]
    ignored: frozenset[str] = frozenset()
    every: float = EVERY
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to watch."""
        # What changes from here on counts, not from when the thread happens to begin.
        seen = look(self.project)
        threading.Thread(target=self._watch, args=(seen,), name="reload", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._ended.set()

    def _watch(self, seen: Seen) -> None:
        while not self._ended.wait(self.every):
            try:
                now = look(self.project)
            except (OSError, ProjectError):
                continue  # a folder that is being replaced, a .dockerignore half written: the next look tells
            changed = [name for name in difference(seen, now) if name not in self.ignored]
            seen = now
            if changed:
                forget_bytecode(self.project.root, changed)
                self.on_change(changed)
