"""Requirement lines: which packages, which options, and which of them are our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cogyard.project.document import decode, shorten
from cogyard.project.errors import Problem, ProjectError
from cogyard.project.places import place_of

OWN = frozenset({"cog", "coglet", "cogyard-sdk"})
"""What we put into every model's environment ourselves; the names `cog` and `coglet` are others' on the index."""

_OPTION = re.compile(r"^(-[a-zA-Z]|--[a-z][a-z-]*)(?:[=\s]\s*(.+))?$")
_WITH_VALUE = {
    "-i": "--index-url",
    "-f": "--find-links",
    **{
        name: name
        for name in ("--index-url", "--extra-index-url", "--find-links", "--no-binary", "--only-binary")
    },
}
_ALONE = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes"})
"""Options without a value. Of these uv does the last two in any case."""
_UNNEEDED = frozenset({"--trusted-host", "--use-feature"})
"""Options of pip with a value that change nothing here."""
_INLINE = re.compile(r"\s+(?P<option>-[if]|--(?:extra-)?index-url|--find-links)(?:=|\s+)(?P<value>[^\s=]\S*)")
"""Options that Cog takes after a requirement, on its line."""
_FILES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_LOCAL = re.compile(r"^(\.{0,2}/|[A-Za-z]:[\\/]|[^@;\[\]]*\.(whl|tar\.gz|zip)$)")
#: The requirements that most people write: what this matches, packaging accepts.
PLAIN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?: ?(?:==|!=|>=|<=|<|>) ?[0-9]+(?:\.[0-9]+)*(?: ?, ?(?:==|!=|>=|<=|<|>) ?[0-9]+(?:\.[0-9]+)*)*)?"
)
_HASHES = r"(?: --hash[= ](?:sha256:[0-9A-Fa-f]{64}|sha384:[0-9A-Fa-f]{96}|sha512:[0-9A-Fa-f]{128}))+"
_MAX_DEPTH = 8
_PASSWORD = re.compile(r"\w+://[^/\s:@]*:(?P<password>[^/\s@]+)@")
_VARIABLE = r"\$\{[A-Z0-9_]+\}"
_EXPOSED_HINT = "Write ${NAME} in its place and set the variable, or put the password into ~/.netrc."


class Requirements(msgspec.Struct, kw_only=True):
    """What a project asks of the package index, with the problems met while reading it."""

    lines: list[str] = msgspec.field(default_factory=list)
    options: list[str] = msgspec.field(default_factory=list)
    constraints: list[str] = msgspec.field(default_factory=list)
    files: list[Path] = msgspec.field(default_factory=list)
    dropped: list[str] = msgspec.field(default_factory=list)
    exposed: list[Problem] = msgspec.field(default_factory=list)
    """Passwords that stand in addresses, for whoever gets the file to read."""
    told: list[Problem] = msgspec.field(default_factory=list)
    """What was taken otherwise than it stands there."""
    problems: list[Problem] = msgspec.field(default_factory=list)
    within: list[Path] = msgspec.field(default_factory=list)
    """The files that are being read, each named by the one before."""
    seen: set[tuple[Path, bool]] = msgspec.field(default_factory=set)
    """Files that were read, and whether as constraints."""

    def add(self, line: str, problem_at: Problem, folder: Path, *, constraint: bool = False) -> None:
        """Take one requirement; `problem_at` is a template that says where the line stands."""
        target = self.constraints if constraint else self.lines
        self.look_for_passwords(line, problem_at)
        requirement, _, rest = line.partition(" --hash")
        requirement = requirement.strip()
        if rest and not re.fullmatch(_HASHES, f" --hash{rest}"):
            message = f"`{shorten(f'--hash{rest}')}` is not a hash: --hash=sha256: and 64 hexadecimal digits"
            self.problems.append(problem_at.saying(message))
            return
        if _LOCAL.match(requirement) and "://" not in requirement:
            self._add_local(requirement, problem_at, folder, target, f" --hash{rest}" if rest else "")
            return
        name = _name_of(requirement)
        if name is None:
            if "://" in requirement:  # a bare address of a wheel: uv reads it, PEP 508 does not know it
                target.append(line)
                return
            message = f"`{shorten(line)}` is not a requirement"
            hint = "Write `name`, `name==1.2.3` or `name>=1,<2`, one a line."
            self.problems.append(problem_at.saying(message, hint))
            return
        if name in OWN:
            self.dropped.append(requirement)
        else:
            target.append(f"{requirement} --hash{rest}" if rest else requirement)

    def look_for_passwords(self, line: str, at: Problem) -> None:
        """Note a password that stands in an address; `${NAME}` in its place is a variable's, and fine."""
        found = _PASSWORD.search(line)
        if found is not None and not re.fullmatch(_VARIABLE, found["password"]):
            self.exposed.append(at.saying("a password stands in the address", _EXPOSED_HINT))

    def _add_local(
        self, line: str, problem_at: Problem, folder: Path, target: list[str], hashes: str
    ) -> None:
        path = place_of(folder, line)
        if path is not None and path.exists():
            target.append(f"{path.as_uri()}{hashes}")
        else:
            self.problems.append(problem_at.saying(f"`{shorten(line)}`: there is no such file"))


def _name_of(requirement: str) -> str | None:
    """Return the normalized name of a requirement (PEP 508), or None for what is not one."""
    plain = PLAIN.fullmatch(requirement)
    if plain is not None:
        return re.sub(r"[-_.]+", "-", plain["name"]).lower()
    # Its import takes 15 to 50 ms, which a build of an edited line need not pay for `name==1.2.3`.
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        read = Requirement(requirement)
    except InvalidRequirement:
        return None
    if not all(each.version for each in read.specifier):  # `===` alone, which packaging lets pass
        return None
    return canonicalize_name(read.name)


def read_file(
    into: Requirements, path: Path, root: Path, *, depth: int = 0, constraint: bool = False
) -> None:
    """Read a requirements file and those it names into `into`; problems carry its own lines."""
    name = _relative(path, root)
    if path not in into.files:
        into.files.append(path)
    into.seen.add((path, constraint))
    try:
        text = decode(path.read_bytes(), name)
    except ProjectError as error:
        into.problems.extend(error.problems)
        return
    except OSError as error:
        into.problems.append(Problem(file=name, message=f"cannot be read: {error.strerror}"))
        return
    into.within.append(path)
    for number, column, line in _logical_lines(text):
        here = Problem(file=name, line=number, column=column, message="")
        read_line(into, line, here, path=path, root=root, depth=depth, constraint=constraint)
    into.within.pop()


def read_line(
    into: Requirements,
    line: str,
    here: Problem,
    *,
    path: Path,
    root: Path,
    depth: int = 0,
    constraint: bool = False,
) -> None:
    """Read one line of the file `path`: an option, or a requirement and the options after it."""
    if line.startswith("-"):
        _option(into, line, here, path=path, root=root, depth=depth)
        return
    for found in _INLINE.finditer(line):
        _option(into, f"{found['option']} {found['value']}", here, path=path, root=root, depth=depth)
    into.add(_INLINE.sub("", line), here, path.parent, constraint=constraint)


def _option(into: Requirements, line: str, here: Problem, *, path: Path, root: Path, depth: int) -> None:
    found = _OPTION.match(line)
    option, value = (found.group(1), (found.group(2) or "").strip()) if found else (line, "")
    if option in _FILES and value:
        other = place_of(path.parent, value)
        if other is not None and not other.is_relative_to(root):
            into.problems.append(here.saying(f"`{shorten(value)}` is outside the project's folder"))
        elif other is None or not other.is_file():
            into.problems.append(here.saying(f"`{shorten(value)}`: there is no such file"))
        elif depth >= _MAX_DEPTH or other in into.within:
            into.problems.append(here.saying(f"`{value}` is named in a circle"))
        elif (other, _FILES[option] == "-c") not in into.seen:  # twice says no more than once
            read_file(into, other, root, depth=depth + 1, constraint=_FILES[option] == "-c")
    elif option in _WITH_VALUE and value:
        name = _WITH_VALUE[option]
        if name == "--find-links" and "://" not in value:
            found_at = place_of(path.parent, value)  # the resolver works in a folder of its own
            if found_at is None:
                into.problems.append(here.saying(f"`{shorten(value)}`: there is no such folder"))
                return
            value = str(found_at)
        into.look_for_passwords(value, here)
        into.options.append(f"{name} {value}")
    elif option in _ALONE and not value:
        if option in {"--pre", "--no-index"}:
            into.options.append(option)
    elif option in {"-e", "--editable"}:
        _editable(into, option, value, here, path.parent)
    else:
        unneeded = option in _UNNEEDED and value
        said = f"`{option}` has no effect" if unneeded else f"the option `{shorten(line)}` is not known here"
        (into.told if unneeded else into.problems).append(here.saying(said))


def _editable(into: Requirements, option: str, value: str, here: Problem, folder: Path) -> None:
    if not value.startswith("git+"):
        hint = "A model's image has no place for it: name the package, or a wheel inside the project."
        into.problems.append(here.saying("an editable requirement cannot be packaged", hint))
        return
    hint = (
        f"Write it without `{option}`; a package that runs only from its own folder has to be in the project."
    )
    into.told.append(here.saying("an image has no editable packages; it is installed as any other", hint))
    into.add(value, here, folder)


def _logical_lines(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the lines without comments, continued ones joined, each with the place where it begins."""
    pending, start, column = "", 0, 1
    for number, raw in enumerate(text.splitlines(), start=1):
        if not start:
            start, column = number, len(raw) - len(raw.lstrip()) + 1
        line = "" if raw.lstrip().startswith("#") else re.sub(r"\s+#.*$", "", raw)
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        whole = " ".join((pending + line).split())
        if whole:
            yield start, column, whole
        pending, start = "", 0
    if pending.strip():
        yield start, column, pending.strip()


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
