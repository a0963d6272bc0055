"""`cog doctor`: what is wrong with a project, and with this machine for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.console import GREEN, RED, YELLOW, Console
from cogyard.cli.errors import CommandError, SilentExitError
from cogyard.cli.options import config_file

if TYPE_CHECKING:
    from cogyard.project import Project
    from cogyard.project.doctor import Finding
    from cogyard.project.edits import Edit

_COLOURS = {"error": RED, "warning": YELLOW, "note": "2"}


@click.command(short_help="Look for what is wrong with the project.")
@click.option("--fix", is_flag=True, help="Mend what can be mended by a small edit; comments stay.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@config_file
def doctor(*, fix: bool, as_json: bool, filename: str) -> None:
    """Look for what is wrong, old or risky in the project's files, and missing on this machine.

    Nothing of the model is run. Ends with 1 when an error remains; warnings and notes alone end with 0.
    """
    from cogyard.project import find_root

    root = find_root(Path.cwd(), filename)
    console = Console()
    project, findings = _examine(root, filename)
    fixed: list[Edit] = []
    if fix and (edits := _edits(project, findings, console)):
        fixed = _mend(edits)
        project, findings = _examine(root, filename)
    if as_json:
        print(json.dumps([_to_json(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _report(findings, fixed, root, readable=project is not None)
    if any(finding.level == "error" for finding in findings):
        raise SilentExitError(1)


def _examine(root: Path, filename: str) -> tuple[Project | None, list[Finding]]:
    from cogyard.cli import locked, machine
    from cogyard.project import doctor

    project, findings = doctor.examine(root, filename)
    if project is not None:
        findings = [*locked.settled(project, findings), *locked.examine(project)]
    return project, [*findings, *machine.examine(project)]


def _edits(project: Project | None, findings: Sequence[Finding], console: Console) -> list[Edit]:
    edits = [finding.edit for finding in findings if finding.edit is not None]
    return edits + _pins(project, console) if project is not None else edits


def _pins(project: Project, console: Console) -> list[Edit]:
    """Return edits that write the versions that are resolved now; none when they cannot be resolved."""
    from cogyard.environment import PreparingError, Target, lock_for
    from cogyard.project.doctor import unpinned

    wanted = unpinned(project)
    if not wanted:
        return []
    try:
        with console.working("Resolving the requirements") as step:
            lock = lock_for(project, Target(python=project.python_version), on_progress=step.detail)
    except PreparingError as error:
        console.warn(f"the requirements stay as they are: {error.message}", error.hint)
        return []
    versions = {_canonical(package.name): package.version for package in lock.packages}
    found = []
    for one in wanted:
        version = versions.get(_canonical(one.name))
        if version is not None:  # a marker may leave it out here
            found.append(one.pinned(version))
    return found


def _mend(edits: Sequence[Edit]) -> list[Edit]:
    from cogyard.project.edits import apply

    try:
        return apply(edits)
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from error


def _report(findings: Sequence[Finding], fixed: Sequence[Edit], root: Path, *, readable: bool) -> None:
    import sys

    from cogyard.cli import locked, machine
    from cogyard.project import doctor

    out = Console(stream=sys.stdout)
    for edit in fixed:
        name = edit.path.relative_to(root).as_posix() if edit.path.is_relative_to(root) else str(edit.path)
        now = f"now {edit.text.strip()}" if edit.text.strip() else "taken out"
        out.say(f"{out.paint('fixed', GREEN)}  {name}: {edit.old.strip()}: {now}")
    if fixed:
        out.say()
    for check in (*doctor.CHECKS, *locked.CHECKS, *machine.CHECKS):
        own = [finding for finding in findings if finding.check == check]
        if not own and not readable and check in doctor.NEED_PROJECT:
            out.say(f"- {check}: not looked at while the configuration cannot be read")
            continue
        if not own:
            out.say(f"{out.paint('✓', GREEN)} {check}")
            continue
        worst = next(level for level in _COLOURS if any(finding.level == level for finding in own))
        out.say(f"{out.paint('✗' if worst == 'error' else '!', _COLOURS[worst])} {check}")
        for finding in own:
            level = out.paint(finding.level, _COLOURS[finding.level])
            out.say(f"    {finding.problem.place}: {level}: {finding.problem.message}")
            if finding.problem.hint:
                out.say("        " + finding.problem.hint.replace("\n", "\n        "))
    out.say(f"\n{_summary(findings)}")


def _summary(findings: Sequence[Finding]) -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in _COLOURS}
    parts = [f"{number} {level}{'' if number == 1 else 's'}" for level, number in counts.items() if number]
    mendable = sum(finding.mendable for finding in findings)
    if not parts:
        return "no issues found"
    return ", ".join(parts) + (f"; `cog doctor --fix` mends {mendable} of them" if mendable else "")


def _to_json(finding: Finding) -> Mapping[str, Any]:
    problem = finding.problem
    return {
        "check": finding.check,
        "level": finding.level,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "remedy": problem.hint,
        "fixable": finding.mendable,
    }


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
