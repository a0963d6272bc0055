"""What `cog doctor` finds in a project's files, and the edits that mend it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project import ProjectMissingError
from cogyard.project.doctor import Finding, examine, unpinned
from cogyard.project.edits import apply

CONFIG = 'build:\n  python_version: "3.11"\n  python_requirements: requirements.txt\npredict: "predict.py:Predictor"\n'
PREDICT = (
    "from cog import BasePredictor\n\n\nclass Predictor(BasePredictor):\n"
    "    def predict(self, text: str) -> str:\n        return text\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a project with nothing wrong."""
    (tmp_path / "cog.yaml").write_text(CONFIG)
    (tmp_path / "predict.py").write_text(PREDICT)
    (tmp_path / "requirements.txt").write_text("pillow==12.0.0\n")
    return tmp_path


def found(folder: Path, check: str | None = None) -> list[Finding]:
    """Return what is found, of one check or of all."""
    _, findings = examine(folder, "cog.yaml")
    return [one for one in findings if check in {None, one.check}]


def test_a_good_project_has_no_findings(project: Path) -> None:
    """No false alarms."""
    assert found(project) == []


def test_a_folder_without_a_project_is_no_finding(tmp_path: Path) -> None:
    """It is an error of the call."""
    with pytest.raises(ProjectMissingError):
        examine(tmp_path, "cog.yaml")


def test_every_problem_of_the_configuration_is_an_error(project: Path) -> None:
    """With place and remedy; the rest waits until the file can be read."""
    (project / "cog.yaml").write_text(CONFIG + "gpus: true\ntrain: nope.py:train\n")
    read, findings = examine(project, "cog.yaml")
    assert read is None
    assert [(one.level, one.problem.line) for one in findings] == [("error", 5), ("error", 6)]
    assert all(one.problem.hint for one in findings)


def test_keys_without_effect_are_taken_out_and_comments_stay(project: Path) -> None:
    """An edit of one line; where more stands on it there is no edit."""
    (project / "cog.yaml").write_text(
        CONFIG.replace('"3.11"\n', '"3.11"  # mine\n  fast: false  # old\n  # kept\n')
    )
    (finding,) = found(project)
    assert (finding.check, finding.problem.line, finding.mendable) == ("old keys", 3, True)
    assert finding.edit is not None
    apply([finding.edit])
    assert (project / "cog.yaml").read_text() == CONFIG.replace('"3.11"\n', '"3.11"  # mine\n  # kept\n')
    (project / "cog.yaml").write_text(
        'build: {python_version: "3.11", fast: true}\npredict: predict.py:Predictor\n'
    )
    (flow,) = found(project)
    assert (flow.edit, flow.mendable) == (None, False)


def test_a_version_that_yaml_takes_for_a_number_is_put_in_quotes(project: Path) -> None:
    """3.10 is 3.1 to others; it is quoted in its place."""
    (project / "cog.yaml").write_text(CONFIG.replace('"3.11"', "3.10  # low"))
    (finding,) = found(project)
    assert finding.edit is not None
    apply([finding.edit])
    assert 'python_version: "3.10"  # low\n' in (project / "cog.yaml").read_text()
    assert found(project) == []


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        ("pillow", "pillow==9"),
        ("pillow>=2,<13", "pillow==9"),
        ("pillow >= 2  # why", "pillow==9  # why"),
        ("pillow[extra]~=2.1 ; python_version > '3'", "pillow[extra]==9 ; python_version > '3'"),
        ("pillow ; python_version > '3'", "pillow==9 ; python_version > '3'"),
        ("pillow!=3", "pillow==9"),
        ("pillow==3.*", "pillow==9"),
    ],
)
def test_what_is_not_pinned_is_told_and_can_be(project: Path, line: str, pinned: str) -> None:
    """Extras, markers and comments stay."""
    (project / "requirements.txt").write_text(f"# first\n{line}\n")
    (finding,) = found(project)
    assert (finding.level, finding.problem.line, finding.mendable) == ("warning", 2, True)
    read, _ = examine(project, "cog.yaml")
    assert read is not None
    (one,) = unpinned(read)
    apply([one.pinned("9")])
    assert (project / "requirements.txt").read_text() == f"# first\n{pinned}\n"
    assert found(project) == []


@pytest.mark.parametrize(
    "line",
    [
        "pillow==12.0.0",
        "pillow===12.0.0",
        "pillow==12.0.0 ; python_version > '3'",
        "pillow @ https://example.com/pillow-1-py3-none-any.whl",
        "https://example.com/pillow-1-py3-none-any.whl",
        "--pre",
        "# pillow",
        "",
    ],
)
def test_what_is_exact_is_left_alone(project: Path, line: str) -> None:
    """Pins, addresses, options, comments."""
    (project / "requirements.txt").write_text(f"{line}\n")
    assert found(project) == []


def test_packages_in_the_configuration_are_pinned_there(project: Path) -> None:
    """Quoted or not."""
    config = 'build:\n  python_version: "3.11"\n  python_packages:\n    - pillow  # x\n    - "numpy>=2"\n    - a==1\n'
    (project / "cog.yaml").write_text(config + "predict: predict.py:Predictor\n")
    read, findings = examine(project, "cog.yaml")
    assert read is not None
    assert [one.problem.line for one in findings] == [4, 5]
    apply([one.pinned("9") for one in unpinned(read)])
    text = (project / "cog.yaml").read_text()
    assert '    - pillow==9  # x\n    - "numpy==9"\n    - a==1\n' in text


def test_cogs_own_package_in_the_list_is_told(project: Path) -> None:
    """Where it stands, with what to do; an edit of a list is left to its author."""
    (project / "cog.yaml").write_text(
        CONFIG.replace(
            "python_requirements: requirements.txt", 'python_packages: ["numpy==2.1.0", "cog>=0.9"]'
        )
    )
    (finding,) = found(project)
    assert (finding.check, finding.level, finding.mendable) == ("requirements", "warning", False)
    assert (finding.problem.line, finding.problem.column) == (3, 37)
    assert finding.problem.message.startswith("`cog>=0.9` is left out")


def test_cogs_own_packages_are_taken_out(project: Path) -> None:
    """They are replaced anyway."""
    (project / "requirements.txt").write_text("cog>=0.9  # sdk\npillow==1\n")
    (finding,) = found(project)
    assert finding.edit is not None
    apply([finding.edit])
    assert (project / "requirements.txt").read_text() == "pillow==1\n"


def test_the_predictors_mistakes_are_errors_with_their_line(project: Path) -> None:
    """A missing type, a name that cog does not have; nothing is imported to find them."""
    source = PREDICT.replace("text: str", "text").replace("BasePredictor\n", "BasePredictor, Inputt\n", 1)
    (project / "predict.py").write_text("raise SystemExit\n" + source)
    levels = {(one.check, one.problem.line): one for one in found(project)}
    assert set(levels) == {("schema", 6), ("imports", 2)}
    assert all(one.level == "error" for one in levels.values())
    assert "Did you mean `Input`?" in (levels["imports", 2].problem.hint or "")


def test_variables_that_look_like_secrets_are_told(project: Path) -> None:
    """The value is not repeated."""
    (project / "cog.yaml").write_text(CONFIG + "environment:\n  - HF_TOKEN=abc\n  - KEYBOARD=de\n")
    (finding,) = found(project)
    assert (finding.check, finding.problem.line) == ("secrets", 6)
    assert "abc" not in finding.problem.message + (finding.problem.hint or "")


def test_mistakes_of_the_examples_are_found_too(project: Path) -> None:
    """cog-test.yaml is looked at when it is there."""
    (project / "cog-test.yaml").write_text("examples:\n  - inptu: {}\n")
    assert [one.check for one in found(project)] == ["examples"]
