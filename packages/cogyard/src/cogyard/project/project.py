"""A model's folder, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from cogyard.project import references
from cogyard.project.document import shorten
from cogyard.project.errors import Problem, ProjectError, ProjectMissingError
from cogyard.project.places import place_of
from cogyard.project.pyproject import PYPROJECT_NAME, Pyproject, names_packages, passed_over, read_pyproject
from cogyard.project.requirements import Requirements, read_file, read_line
from cogyard.project.values import Config, RunCommand, version_of
from cogyard.project.written import Memory, Place, Written, read

CONFIG_NAME = "cog.yaml"
_MAX_PARENTS = 100


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A checked project. Paths are absolute; `requirements` are requirement lines without cog's own packages."""

    root: Path
    config_file: Path
    config: Config
    requirements: tuple[str, ...] = ()
    requirement_options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    requirement_files: tuple[Path, ...] = ()
    dropped_requirements: tuple[str, ...] = ()
    pyproject: Pyproject | None = None
    """Where the packages come from, when it is not cog.yaml or a requirements file."""
    exposed: tuple[Problem, ...] = ()
    """Passwords that stand in its files."""
    warnings: tuple[Problem, ...] = ()

    @property
    def described(self) -> str:
        """The files that the environment is made from, for messages."""
        names = self.pyproject.names if self.pyproject else ""
        return f"{self.config_file.name} with {names}" if names else self.config_file.name

    @property
    def packages_named(self) -> str:
        """The file that names the packages."""
        named = self.config.build.python_requirements
        return named or (self.pyproject.path.name if self.pyproject else self.config_file.name)

    @property
    def ref(self) -> str | None:
        """`predict.py:Predictor`; None for a project that only trains."""
        return self.config.predict

    @property
    def train_ref(self) -> str | None:
        """`train.py:train`, or None."""
        return self.config.train

    @property
    def python_version(self) -> str:
        """The minor version, "3.11", also where cog.yaml names a patch release."""
        return _minor(self.config)

    @property
    def system_packages(self) -> tuple[str, ...]:
        """Debian packages the image holds."""
        return self.config.build.system_packages

    @property
    def run(self) -> tuple[RunCommand, ...]:
        """Every shell command of the build, in order."""
        older = tuple(RunCommand(command=command) for command in self.config.build.pre_install)
        return older + self.config.build.run

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables the model sees."""
        return self.config.environment

    @property
    def gpu(self) -> bool:
        """Whether the model needs a GPU."""
        return self.config.build.gpu

    @property
    def image(self) -> str | None:
        """The image's name from cog.yaml, or None."""
        return self.config.image


def find_root(start: Path, filename: str = CONFIG_NAME) -> Path:
    """Return the nearest folder, from `start` upward, that holds the file; raise ProjectMissingError."""
    folder = start.resolve()
    for candidate in [folder, *folder.parents][: _MAX_PARENTS + 1]:
        if (candidate / filename).is_file():
            return candidate
    raise _missing(start, filename)


def load_project(folder: Path, filename: str = CONFIG_NAME, memory: Memory | None = None) -> Project:
    """Read the project in `folder`; raise ProjectError with every problem there is.

    `memory` spares reading the YAML of a cog.yaml that was read before.
    """
    root = folder.resolve()
    path = root / filename
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(folder, filename) from error
    except OSError as error:
        raise ProjectError([Problem(file=filename, message=f"cannot be read: {error.strerror}")]) from error
    written = read(data, filename, memory)
    config, keys = written.config, written.keys
    problems = list(written.problems)
    for name, ref in (("predict" if "predict" in keys else "run", config.predict), ("train", config.train)):
        if ref is not None:
            found = references.check(ref, root, config.build.python_version, _template(keys[name], filename))
            problems.extend([found] if found else [])
    wanted = Requirements()
    pyproject = None
    if (from_file := _pyproject(written, root)) is not None:
        try:
            pyproject = read_pyproject(from_file, _minor(config))
        except ProjectError as error:
            problems.extend(error.problems)
    else:
        wanted = _requirements(written, root, filename)
        problems.extend(wanted.problems)
    if problems:
        raise ProjectError(sorted(problems, key=lambda one: (one.file != filename, one.file, one.line or 0)))
    return Project(
        root=root,
        config_file=path,
        config=config,
        requirements=tuple(wanted.lines),
        requirement_options=tuple(wanted.options),
        constraints=tuple(wanted.constraints),
        requirement_files=tuple(wanted.files),
        dropped_requirements=tuple(wanted.dropped),
        pyproject=pyproject,
        exposed=tuple(wanted.exposed),
        warnings=(
            *written.warnings,
            *_dropped(wanted, filename),
            *wanted.exposed,
            *wanted.told,
            *_passed_over(written, root),
        ),
    )


def _minor(config: Config) -> str:
    version = config.build.python_version
    return ".".join(str(part) for part in version_of(version)[:2]) if version else ""


def _pyproject(written: Written, root: Path) -> Path | None:
    """Return the pyproject.toml the packages come from: the one that is named, or the one there is when none are.

    An empty `python_packages: []` says that the model needs none (docs/decisions/0023).
    """
    name = written.config.build.python_requirements
    if name is not None:
        path = place_of(root, name)
        inside = path is not None and path.is_relative_to(root) and path.is_file()
        return path if inside and path is not None and path.name == PYPROJECT_NAME else None
    beside = root / PYPROJECT_NAME
    said = "python_packages" in written.build_keys
    return beside if not said and names_packages(beside) else None


def _passed_over(written: Written, root: Path) -> list[Problem]:
    """Return a warning where nothing says which packages there are, but a file that is not read for them."""
    if written.config.build.python_requirements is not None or "python_packages" in written.build_keys:
        return []
    found = passed_over(root / PYPROJECT_NAME)
    return [] if found is None else [found]


def _requirements(written: Written, root: Path, filename: str) -> Requirements:
    wanted = Requirements()
    for line, place in written.packages:
        read_line(wanted, line.strip(), _template(place, filename), path=root / filename, root=root)
    name = written.config.build.python_requirements
    if name is not None:
        path = place_of(root, name)
        at = _template(written.build_keys["python_requirements"], filename)
        if path is not None and not path.is_relative_to(root):
            message = f"`{name}` is outside the project's folder"
            wanted.problems.append(at.saying(message))
        elif path is None or not path.is_file():
            message = f"python_requirements is `{shorten(name)}`, and there is no such file"
            hint = "Write it, or take the line out; the path counts from cog.yaml."
            wanted.problems.append(at.saying(message, hint))
        else:
            read_file(wanted, path, root)
    return wanted


def _dropped(wanted: Requirements, filename: str) -> list[Problem]:
    if not wanted.dropped:
        return []
    names = ", ".join(f"`{line}`" for line in wanted.dropped)
    return [Problem(file=filename, message=f"{names} left out: the SDK of this release is put in its place")]


def _template(place: Place, filename: str) -> Problem:
    return Problem(file=filename, line=place.line, column=place.column, message="")


def _missing(folder: Path, filename: str) -> ProjectMissingError:
    problem = Problem(file=filename, message=f"there is none in {folder.resolve()}")
    return ProjectMissingError(
        [problem], hint="Go to the model's folder, or make a project here with `cog init`."
    )
