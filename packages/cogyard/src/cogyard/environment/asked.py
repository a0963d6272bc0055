"""What is asked of the package index, as a value: the same question gives the same lock."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from cogyard.environment.uv import redacted
from cogyard.environment.wish import Wish
from cogyard.project import Project
from cogyard.project.pyproject import Pyproject

TORCH_INDEX = "COGYARD_TORCH_INDEX"
"""The setting that names a copy of PyTorch's index: the address below which `cpu/` and `cu128/` stand."""

INDEX_SETTINGS = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX_STRATEGY",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_EXCLUDE_NEWER",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_TORCH_BACKEND",
    TORCH_INDEX,
)
"""Variables that change what an index answers."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Requirement lines and options, or a pyproject.toml; `subject` names in messages who asks."""

    lines: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pyproject: Pyproject | None = None
    wish: Wish | None = None
    """What it says about the GPU; None where that does not matter."""
    subject: str = "the project"

    @classmethod
    def by(cls, project: Project) -> Asked:
        """Return what a project asks for."""
        return cls(
            lines=project.requirements,
            options=project.requirement_options,
            constraints=project.constraints,
            pyproject=project.pyproject,
            wish=Wish(gpu=project.gpu, cuda=project.config.build.cuda, cudnn=project.config.build.cudnn),
        )

    @property
    def named_lines(self) -> tuple[str, ...]:
        """The requirements as a person wrote them, wherever they stand."""
        return self.pyproject.dependencies if self.pyproject else self.lines

    @property
    def locked_by_uv(self) -> bool:
        """Whether a uv.lock has the answer already."""
        return self.pyproject is not None and self.pyproject.lock is not None

    @property
    def named(self) -> str:
        """Where a person changes it."""
        return self.pyproject.path.name if self.pyproject else "python_packages (or the requirements file)"

    def question(self) -> list[str | bytes]:
        """Return everything the answer depends on, as far as it can be known without asking."""
        settings = [f"{name}={os.environ.get(name, '')}" for name in INDEX_SETTINGS]
        files = [f"{path} {_stamp(path)}" for path in (*self._files(), *self._folders())]
        question: list[str | bytes] = [
            "requirements",
            *self.lines,
            *self.options,
            "constraints",
            *self.constraints,
        ]
        if self.pyproject is not None:
            # paths of local packages count from its folder, which therefore is part of the question
            question += ["pyproject", str(self.pyproject.path), self.pyproject.path.read_bytes()]
            question += [self.pyproject.lock.read_bytes()] if self.pyproject.lock else []
        return [*question, *settings, *files, repr(self.wish)]

    def record(self, root: Path) -> dict[str, Any]:
        """Return it for a lock that is shared: no password, no path of this machine, files by what is in them."""
        found: dict[str, Any] = {
            "requirements": [_portable(line, root) for line in self.lines],
            "constraints": [_portable(line, root) for line in self.constraints],
            "options": [_portable(line, root) for line in self.options],
            "files": {_place(path, root): _digest(path) for path in self._files() if path.is_file()},
        }
        if self.pyproject is not None:
            found["requirements"] = list(self.pyproject.dependencies)
            found["files"][f"{_place(self.pyproject.path, root)} [tool.uv]"] = _settings(self.pyproject.path)
            if self.pyproject.lock is not None:
                found["files"][_place(self.pyproject.lock, root)] = _digest(self.pyproject.lock)
        return {name: value for name, value in found.items() if value}

    def _folders(self) -> Iterator[Path]:
        """Yield the wheels in folders of `--find-links`: a new one may be the answer."""
        for option in self.options:
            name, _, value = option.partition(" ")
            if name == "--find-links" and "://" not in value and Path(value).is_dir():
                yield from sorted(Path(value).iterdir())

    def _files(self) -> Iterator[Path]:
        for line in (*self.lines, *self.constraints):
            if "file://" in line:
                yield Path(unquote(urlsplit(line[line.index("file://") :].split(" ")[0]).path))


def _stamp(path: Path) -> str:
    if not path.exists():
        return "missing"
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _settings(path: Path) -> str:
    """Return a digest of what pyproject.toml tells uv; the rest of the file may change freely."""
    import tomllib

    document: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
    tool = document.get("tool", {}).get("uv", {})
    return f"sha256:{hashlib.sha256(json.dumps(tool, sort_keys=True, default=str).encode()).hexdigest()}"


def _portable(line: str, root: Path) -> str:
    return redacted(line).replace(f"{root.as_uri()}/", "./").replace(f"{root}/", "./")


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
