"""What is wrong, old or risky in a project's files, each with its place, a remedy and, where it is safe, an edit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from cogyard.project.document import compose, decode
from cogyard.project.edits import Edit
from cogyard.project.errors import NotInSourceError, Problem, ProjectError, ProjectMissingError
from cogyard.project.examples import EXAMPLES_NAME, read_examples
from cogyard.project.ignore import source_files
from cogyard.project.keys import OBSOLETE
from cogyard.project.project import Project, load_project
from cogyard.project.requirements import OWN
from cogyard.project.schema import static_schema, training_schema
from cogyard.project.suggest import did_you_mean


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found. `edit` mends it; what is `mendable` without one needs more than the files to be mended."""

    check: str
    level: Level
    problem: Problem
    edit: Edit | None = None
    mendable: bool = False


@dataclass(frozen=True, kw_only=True)
class Unpinned:
    """A requirement without an exact version: the line, its place, and where a version goes."""

    name: str
    line: str
    problem: Problem
    path: Path
    start: int
    end: int

    def pinned(self, version: str) -> Edit:
        """Return the edit that writes the version into the line."""
        return Edit(
            path=self.path,
            start=self.start,
            end=self.end,
            old=self.line,
            text=_PINNABLE.sub(lambda found: f"{found['name']}=={version}", self.line, count=1),
        )


#: The checks, of the machine too, that need a cog.yaml that can be read.
NEED_PROJECT = frozenset({"requirements", "schema", "imports", "secrets", "lock", "python", "gpu"})
#: The checks of files, in the order of the report.
CHECKS = ("configuration", "old keys", "requirements", "schema", "imports", "secrets", "examples")

_SECRET = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIALS?)(_|$)", re.IGNORECASE
)
#: A name with its extras, and a version that is not exact or none at all.
_PINNABLE = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*(?:\s*\[[^\]]*\])?)(?:\s*[(]?(?:[<>!~]=?|===?)[^;#]*?)?(?=\s*(?:;|$|\s#|--))"
)
_LINE_NAME = re.compile(r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>.*)$")


def examine(root: Path, filename: str) -> tuple[Project | None, list[Finding]]:
    """Return the project, when it can be read, and everything found in its files. Raises ProjectMissingError."""
    found: list[Finding] = []
    project: Project | None = None
    try:
        project = load_project(root, filename)
    except ProjectMissingError:
        raise
    except ProjectError as error:
        found += _problems("configuration", error)
    else:
        found += [_finding("configuration", Level.WARNING, warning) for warning in _other(project)]
    found += _old_keys(root / filename, filename)
    if project is not None:
        found += _own_requirements(project)
        found += [
            Finding(check="requirements", level=Level.WARNING, problem=one.problem, mendable=True)
            for one in unpinned(project)
        ]
        found += _schemas(project)
        found += _imports(project)
        found += _secrets(project)
    if (root / EXAMPLES_NAME).exists():
        try:
            read_examples(root)
        except ProjectError as error:
            found += _problems("examples", error)
    return project, found


def unpinned(project: Project) -> list[Unpinned]:
    """Return the requirements that may mean another version tomorrow."""
    found = []
    for path in project.requirement_files:
        found += [one for one in _lines_of(path, project.root) if not _is_exact(one.line)]
    name = project.config_file.name
    found += [one for node in _packages(project) if (one := _package(node, project.config_file, name))]
    return [one for one in found if _canonical(one.name) not in OWN]


def _packages(project: Project) -> list[yaml.ScalarNode]:
    """Return what stands in python_packages."""
    packages = _section(project.config_file, "build").get("python_packages")
    listed = packages.value if isinstance(packages, yaml.SequenceNode) else ()
    return [node for node in listed if isinstance(node, yaml.ScalarNode)]


def _other(project: Project) -> list[Problem]:
    """Return the project's warnings that no check of its own tells."""
    top = _nodes(compose(project.config_file.read_bytes(), project.config_file.name))
    sections = {"": top, "build": _nodes(top.get("build"))}
    told = {
        (node.start_mark.line + 1, node.start_mark.column + 1)
        for dotted in OBSOLETE
        if (node := sections[dotted.rpartition(".")[0]].get(dotted.rpartition(".")[2])) is not None
    }
    return [one for one in project.warnings if one.line is not None and (one.line, one.column) not in told]


def _old_keys(path: Path, filename: str) -> Iterator[Finding]:
    """Tell keys that have no effect any more, and values that other tools read as something else."""
    try:
        text = decode(path.read_bytes(), filename)
        root = compose(path.read_bytes(), filename)
    except (OSError, ProjectError):
        return  # the configuration's own check says so
    sections: Mapping[str, yaml.Node] = {"": root, "build": _nodes(root).get("build", root)}
    for dotted, advice in OBSOLETE.items():
        parent, _, name = dotted.rpartition(".")
        section = sections[parent]
        if not isinstance(section, yaml.MappingNode):
            continue
        for key, value in section.value:
            if key.value == name and (not parent or section is not root):
                problem = _at(filename, key, f"`{name}` has no effect any more", advice)
                # What predict_concurrency says has a new place; taking the line out would lose it.
                edit = None if name == "predict_concurrency" else _removal(path, text, section, key, value)
                yield _finding("old keys", Level.WARNING, problem, edit)
    version = _nodes(sections["build"]).get("python_version")
    if isinstance(version, yaml.ScalarNode) and version.style is None and "float" in version.tag:
        problem = _at(
            filename, version, f"python_version {version.value} is a number to YAML; other tools may read 3.10 as 3.1",
            f'Write it in quotes: "{version.value}"',
        )  # fmt: skip
        start, end = version.start_mark.index, version.end_mark.index
        edit = Edit(path=path, start=start, end=end, old=text[start:end], text=f'"{version.value}"')
        yield _finding("old keys", Level.WARNING, problem, edit)


def _removal(
    path: Path, text: str, section: yaml.MappingNode, key: yaml.Node, value: yaml.Node
) -> Edit | None:
    """Return the edit that takes a line with a key and its value out; None where more stands on it."""
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    newline = text.find("\n", value.end_mark.index)
    end = len(text) if newline < 0 else newline + 1
    alone = not text[start : key.start_mark.index].strip() and len(section.value) > 1
    rest = text[value.end_mark.index : end].strip()
    one_line = key.start_mark.line == value.end_mark.line and isinstance(value, yaml.ScalarNode)
    if section.flow_style or not alone or not one_line or (rest and not rest.startswith("#")):
        return None
    return Edit(path=path, start=start, end=end, old=text[start:end], text="")


_LEFT_OUT = "`{}` is left out: the SDK of this release is put in its place"


def _own_requirements(project: Project) -> Iterator[Finding]:
    """Tell requirements that are replaced by our own SDK."""
    for path in project.requirement_files:
        for one in _lines_of(path, project.root, own=True):
            text = path.read_bytes().decode("utf-8-sig", errors="replace")
            newline = text.find("\n", one.end)
            end = len(text) if newline < 0 else newline + 1
            start = text.rfind("\n", 0, one.start) + 1
            problem = one.problem.saying(_LEFT_OUT.format(one.line), "Take the line out.")
            edit = Edit(path=path, start=start, end=end, old=text[start:end], text="")
            yield _finding("requirements", Level.WARNING, problem, edit)
    for node in _packages(project):
        line = str(node.value).strip()
        found = _LINE_NAME.match(line)
        if found is not None and _canonical(found["name"]) in OWN:
            problem = _at(project.config_file.name, node, _LEFT_OUT.format(line), "Take it out of the list.")
            yield _finding("requirements", Level.WARNING, problem)


def _schemas(project: Project) -> Iterator[Finding]:
    if project.ref is None and project.train_ref is None:
        missing = Problem(
            file=project.config_file.name,
            message="there is no `predict`, `run` or `train`, so only `cog exec` has something to run",
            hint='Add for example: predict: "predict.py:Predictor"',
        )
        yield _finding("schema", Level.WARNING, missing)
    try:
        if project.ref is not None:
            static_schema(project)
        elif project.train_ref is not None:
            training_schema(project)
    except NotInSourceError as error:
        for problem in error.problems:
            told = problem.saying(f"{problem.message}; a build loads the code to know", problem.hint)
            yield _finding("schema", Level.WARNING, told)
    except ProjectError as error:
        yield from _problems("schema", error)


def _imports(project: Project) -> Iterator[Finding]:
    """Tell names that are imported from cog and are not there."""
    import cog

    there = set(cog.__all__)
    for file in source_files(project):
        if file.path.suffix != ".py" or file.link is not None or file.is_folder or file.size > 1 << 20:
            continue
        try:
            tree = ast.parse(file.path.read_bytes(), filename=file.name)
        except (SyntaxError, ValueError, OSError, RecursionError):
            continue  # the predictor's own file was looked at; another may be for another Python
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "cog" and not node.level:
                for alias in node.names:
                    if alias.name not in there | {"*"}:
                        yield _missing_name(file.name, alias, there)


def _missing_name(name: str, alias: ast.alias, there: set[str]) -> Finding:
    problem = Problem(
        file=name,
        line=alias.lineno,
        column=alias.col_offset + 1,
        message=f"cog has no `{alias.name}`",
        hint=did_you_mean(alias.name, there) or f"It has: {', '.join(sorted(there - {'__version__'}))}.",
    )
    return _finding("imports", Level.ERROR, problem)


def _secrets(project: Project) -> Iterator[Finding]:
    nodes = _nodes(compose(project.config_file.read_bytes(), project.config_file.name))
    listed = nodes.get("environment")
    for node in listed.value if isinstance(listed, yaml.SequenceNode) else ():
        name, _, value = str(node.value).partition("=")
        if _SECRET.search(name) and value:
            yield _finding(
                "secrets",
                Level.WARNING,
                _at(
                    project.config_file.name,
                    node,
                    f"`{name}` looks like a secret, and an image shows its variables to everybody",
                    "Take it out; make it an input of the type cog.Secret, or give it with -e.",
                ),
            )


def _lines_of(path: Path, root: Path, *, own: bool = False) -> Iterator[Unpinned]:
    """Yield the lines of a requirements file that name a package: all, or those that we replace."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return
    position = 0
    for number, raw in enumerate(text.splitlines(keepends=True), start=1):
        start, position = position, position + len(raw)
        written = re.sub(r"\s#.*$", "", raw.rstrip("\r\n")).strip()
        found = _LINE_NAME.match(written)
        if not written or written.startswith(("#", "-", ".", "/")) or found is None:
            continue
        if found["rest"].startswith("@") or "://" in written or written.endswith((".whl", ".tar.gz", ".zip")):
            continue
        if written.endswith("\\") or (_canonical(found["name"]) in OWN) is not own:
            continue
        begin = start + raw.index(written)
        message = f"`{written}` may be another version on another day"
        yield Unpinned(
            name=found["name"],
            line=written,
            problem=Problem(file=name, line=number, message=message, hint=_PIN_HINT),
            path=path,
            start=begin,
            end=begin + len(written),
        )


_PIN_HINT = "Write the exact version, such as name==1.2.3; `cog doctor --fix` writes the one it gets now."


def _package(node: yaml.ScalarNode, path: Path, filename: str) -> Unpinned | None:
    """Return a package of python_packages that has no exact version."""
    line = str(node.value).strip()
    found = _LINE_NAME.match(line)
    if found is None or "://" in line or found["rest"].startswith("@") or _is_exact(line):
        return None
    text = decode(path.read_bytes(), filename)
    at = text.find(line, node.start_mark.index, node.end_mark.index)
    problem = _at(filename, node, f"`{line}` may be another version on another day", _PIN_HINT)
    return Unpinned(
        name=found["name"],
        line=line,
        problem=problem,
        path=path,
        start=at,
        end=at + len(line),
    )


def _is_exact(line: str) -> bool:
    requirement = line.partition(";")[0].partition(" --")[0]
    return re.search(r"===?\s*[^\s,*]+\s*$", requirement) is not None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _section(path: Path, name: str) -> dict[str, yaml.Node]:
    return _nodes(_nodes(compose(path.read_bytes(), path.name)).get(name))


def _nodes(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _at(filename: str, node: yaml.Node, message: str, hint: str) -> Problem:
    mark = node.start_mark
    return Problem(file=filename, line=mark.line + 1, column=mark.column + 1, message=message, hint=hint)


def _problems(check: str, error: ProjectError) -> list[Finding]:
    return [
        _finding(
            check,
            Level.ERROR,
            problem if problem.hint or error.hint is None else problem.saying(problem.message, error.hint),
        )
        for problem in error.problems
    ]


def _finding(check: str, level: Level, problem: Problem, edit: Edit | None = None) -> Finding:
    return Finding(check=check, level=level, problem=problem, edit=edit, mendable=edit is not None)
