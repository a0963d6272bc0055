"""Which files of a project go into its image: .dockerignore, read as Docker reads it."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from cogyard.project.document import shorten
from cogyard.project.errors import Problem, ProjectError
from cogyard.project.project import Project

IGNORE_NAME = ".dockerignore"

ALWAYS_OUT = frozenset({".git", ".cog", "__pycache__", ".venv", ".DS_Store"})
"""Names that are left out at any depth, whatever .dockerignore says: they are never the model's."""

BIG = 10 * 1024 * 1024
"""From this size on, a file that is not code or media counts as weights."""

WEIGHT_FOLDERS = frozenset({"weights", "checkpoints"})
#: A pattern without these is the name of a file or folder, and needs no library to be understood.
_SPECIAL = re.compile(r"[*?\[\]\\!#]|\s\Z")
_TOKEN = re.compile(r"\*\*+/?|[*?]")
_CLASS = re.compile(r"\[(?P<not>\^?)(?P<within>[^\]\\]+)\]")

WEIGHT_SUFFIXES = frozenset(
    [
        ".safetensors",
        ".gguf",
        ".ggml",
        ".pt",
        ".pth",
        ".ckpt",
        ".onnx",
        ".h5",
        ".hdf5",
        ".pb",
        ".tflite",
        ".npz",
        ".npy",
        ".bin",
        ".param",
        ".mlmodel",
        ".msgpack",
        ".joblib",
        ".pkl",
        ".engine",
        ".caffemodel",
    ]
)
NOT_WEIGHTS = frozenset(
    [
        ".py",
        ".pyi",
        ".ipynb",
        ".md",
        ".txt",
        ".yaml",
        ".yml",
        ".json",
        ".toml",
        ".log",
        ".whl",
        ".gz",
        ".zip",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".mp4",
        ".mov",
        ".webm",
        ".mkv",
        ".avi",
        ".mp3",
        ".wav",
        ".flac",
        ".ogg",
        ".m4a",
        ".pdf",
        ".html",
        ".csv",
        ".parquet",
        ".so",
    ]
)


class Rules(Protocol):
    """What .dockerignore says."""

    @property
    def take_back(self) -> bool:
        """Whether a rule brings something back that another one leaves out."""
        ...

    def match_file(self, file: str) -> bool:
        """Whether a file, named from the root with `/`, is left out."""
        ...


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the source, or a folder of which nothing goes in. `name` is relative with `/`."""

    path: Path
    name: str
    size: int
    is_weights: bool
    link: str | None = None
    """A symbolic link's text; None for a file."""
    is_folder: bool = False


def left_out(project: Project) -> str | None:
    """Return the file that cog.yaml names as the model's code and .dockerignore leaves out; None when all go in."""
    rules = read_rules(project.root)
    for ref in (project.ref, project.train_ref):
        name = posixpath.normpath((ref or "").partition(":")[0])
        if ref is not None and (rules.match_file(name) or ALWAYS_OUT & set(name.split("/"))):
            return name
    return None


def source_files(project: Project) -> Iterator[SourceFile]:
    """Yield what goes into the image, sorted by name. Links that lead out of the project are followed.

    A folder that is empty, or of which .dockerignore leaves out all, goes in as one: code writes into it.
    """
    rules = read_rules(project.root)
    yield from _walk(project.root, "", project.root, rules, frozenset())


def packed_among(project: Project, paths: Iterable[Path]) -> list[str]:
    """Return the names of those files that go into the image with the rest of the project."""
    root = project.root.resolve()
    inside = {found for path in paths if (found := path.resolve()).is_relative_to(root)}
    if not inside:
        return []
    return [file.name for file in source_files(project) if file.path.resolve() in inside]


def named(text: str) -> str:
    """Return a file's name as it is in UTF-8, whatever the locale takes its bytes for: images know only these."""
    if sys.getfilesystemencoding() == "utf-8":
        return text
    return os.fsencode(text).decode("utf-8", "surrogateescape")


def read_rules(root: Path) -> Rules:
    """Return .dockerignore's rules; nothing is ignored when there is none.

    Raises ProjectError where it cannot be read: without it, files would go in that must not.
    """
    path = root / IGNORE_NAME
    try:
        if path.is_file():
            return compile_rules(path.read_text("utf-8-sig", errors="surrogateescape"))
    except OSError as error:
        raise _unreadable(f"cannot be read: {error.strerror}") from None
    if os.path.lexists(path) and not path.is_dir():
        raise _unreadable("is no file, nor a link to one")
    return compile_rules("")


def _unreadable(what: str) -> ProjectError:
    return ProjectError(
        [Problem(file=IGNORE_NAME, message=what)], hint="Mend it, or remove it to leave nothing out."
    )


def compile_rules(text: str) -> Rules:
    """Turn .dockerignore's lines into rules of which the last match wins; every pattern starts at the root.

    Raises ProjectError for a line that is no pattern.
    """
    lines: list[tuple[str, bool, str, int]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.startswith("#") or not raw.strip():
            continue
        negated = raw.strip().startswith("!")
        pattern = posixpath.normpath(raw.strip().removeprefix("!").strip() or ".")
        pattern = pattern.lstrip("/")
        if pattern in {"", "."} or pattern.startswith(".."):
            continue
        lines.append((pattern, negated, raw, number))
    if not any(_SPECIAL.search(pattern) for pattern, _, _, _ in lines):
        return _Names([(pattern, negated) for pattern, negated, _, _ in lines])
    return _patterns(lines)


class _Names(msgspec.Struct, frozen=True):
    """Rules that only name files and folders: (name, whether it is taken back), of which the last match wins."""

    names: Sequence[tuple[str, bool]]

    @property
    def take_back(self) -> bool:
        """Whether any name is taken back."""
        return any(negated for _, negated in self.names)

    def match_file(self, file: str) -> bool:
        """Whether a file is left out."""
        for name, negated in reversed(self.names):
            if file == name or file.startswith(f"{name}/"):
                return not negated
        return False


def _patterns(lines: Sequence[tuple[str, bool, str, int]]) -> Rules:
    rules = []
    for pattern, negated, raw, number in lines:
        try:
            # A pattern that fits a folder fits all that is below it.
            rules.append((re.compile(f"(?:{_regex(pattern)})(?:/.*)?", re.DOTALL), negated))
        except (ValueError, re.error) as error:
            message = f"`{shorten(raw)}` is not a pattern"
            raise ProjectError([Problem(file=IGNORE_NAME, line=number, message=message)]) from error
    return _Patterns(rules)


class _Patterns(msgspec.Struct, frozen=True):
    """Patterns: (expression, whether it takes back), of which the last match wins."""

    rules: Sequence[tuple[re.Pattern[str], bool]]

    @property
    def take_back(self) -> bool:
        """Whether any pattern takes back."""
        return any(negated for _, negated in self.rules)

    def match_file(self, file: str) -> bool:
        """Whether a file is left out."""
        for expression, negated in reversed(self.rules):
            if expression.fullmatch(file):
                return not negated
        return False


def _regex(pattern: str) -> str:
    """Return what a pattern means to Docker: Go's filepath.Match, and `**` for any number of folders.

    Raises ValueError for what is no pattern.
    """
    found, rest = "", pattern
    while rest:
        if token := _TOKEN.match(rest):
            text, rest = token.group(), rest[token.end() :]
            if text.startswith("**"):
                found += "(?:.*/)?" if text.endswith("/") else ".*"
            else:
                found += {"*": "[^/]*", "?": "[^/]"}[text]
        elif kind := _CLASS.match(rest):
            rest = rest[kind.end() :]
            within = re.sub(r"([\[&~|^])", r"\\\1", kind["within"])
            found += f"(?!/)[{'^' if kind['not'] else ''}{within}]"
        elif rest.startswith("["):
            raise ValueError("a bracket is not closed")
        else:
            rest = rest.removeprefix("\\")
            if not rest:
                raise ValueError("nothing follows the last backslash")
            found += re.escape(rest[0])
            rest = rest[1:]
    return found


def _walk(folder: Path, prefix: str, root: Path, rules: Rules, seen: frozenset[Path]) -> Iterator[SourceFile]:
    if not os.access(folder, os.R_OK | os.X_OK):
        _refuse_unless_left_out(prefix.rstrip("/"), rules)
        return
    empty = True
    # A folder that is left out is walked all the same: a later `!folder/keep` may bring a file back.
    for path in sorted(folder.iterdir(), key=lambda one: named(one.name).encode("utf-8", "surrogateescape")):
        if path.name in ALWAYS_OUT or path.suffix == ".pyc":
            # What is left of a package that was removed must not be one again.
            empty = empty and path.name != "__pycache__" and path.suffix != ".pyc"
            continue
        name = f"{prefix}{named(path.name)}"
        is_left_out = rules.match_file(name)
        empty = empty and is_left_out
        if path.is_symlink() and _leads_inside(path, root):
            if not is_left_out:
                link = named(str(path.readlink()))
                yield SourceFile(path=path, name=name, size=0, is_weights=False, link=link)
        elif path.is_dir():
            real = path.resolve()
            if real not in seen:
                yield from _walk(path, f"{name}/", root, rules, seen | {real})
        elif path.is_file() and not is_left_out:
            size = path.stat().st_size
            yield SourceFile(path=path, name=name, size=size, is_weights=is_weights(name, size))
    name = prefix.rstrip("/")
    if empty and name and not rules.match_file(name):
        yield SourceFile(path=folder, name=name, size=0, is_weights=False, is_folder=True)


def _leads_inside(link: Path, root: Path) -> bool:
    """Whether a link leads to somewhere in the project. One of a circle does where it names no place outside."""
    try:
        return link.resolve().is_relative_to(root)
    except (RuntimeError, OSError):  # which of them, if any, differs between releases of Python
        return not link.readlink().is_absolute()


def _refuse_unless_left_out(folder: str, rules: Rules) -> None:
    """Raise ProjectError for a folder that may not be looked into, unless nothing of it is wanted."""
    if folder and rules.match_file(folder) and not rules.take_back:
        return
    raise ProjectError(
        [Problem(file=folder or ".", message="the folder cannot be read: Permission denied")],
        hint=f"Make it readable, or name it in {IGNORE_NAME}.",
    )


def is_weights(name: str, size: int) -> bool:
    """Say whether a file is weights: big or in a folder of them, and not code or media."""
    suffix = posixpath.splitext(name)[1].lower()
    if suffix in NOT_WEIGHTS:
        return False
    in_folder = name.partition("/")[0] in WEIGHT_FOLDERS
    return size >= BIG or (suffix in WEIGHT_SUFFIXES and (in_folder or size >= BIG // 10))
