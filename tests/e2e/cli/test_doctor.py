"""`cog doctor`: the report, the edits, the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

HERE = "{}.{}".format(*sys.version_info[:2])


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...


def test_a_new_model_is_well(cog: Command) -> None:
    """What cog init writes has no errors and no warnings."""
    cog("init")
    done = cog("doctor")
    assert done.returncode == 0
    assert "✓ schema" in done.stdout
    assert "error" not in done.stdout
    assert "warning" not in done.stdout


def test_errors_end_with_1_and_warnings_do_not(words: Command) -> None:
    """Each finding has its place and a remedy."""
    config = words.folder / "cog.yaml"
    config.write_text(f'build:\n  python_version: "{HERE}"\n  gpu: true\npredict: predict.py:Predictor\n')
    if not Path("/dev/nvidia0").exists():
        warned = words("doctor")
        assert warned.returncode == 0
        assert "this machine: warning: cog.yaml says gpu: true" in warned.stdout
    source = words.folder / "predict.py"
    source.write_text(source.read_text().replace("fail: bool", "fail"))
    done = words("doctor")
    assert done.returncode == 1
    assert "✗ schema\n    predict.py:" in done.stdout
    assert "1 error" in done.stdout
    found = json.loads(words("doctor", "--json").stdout)
    assert [one["file"] for one in found if one["level"] == "error"] == ["predict.py"]


def test_a_configuration_that_cannot_be_read_hides_nothing(words: Command) -> None:
    """What was not looked at is not called good."""
    config = words.folder / "cog.yaml"
    config.write_text(config.read_text() + "gpus: true\n")
    done = words("doctor")
    assert done.returncode == 1
    assert "cog.yaml:3:1: error: unknown key `gpus`" in done.stdout
    assert "- schema: not looked at" in done.stdout
    assert "✓ schema" not in done.stdout


def test_fix_mends_what_it_can_and_says_so(words: Command) -> None:
    """A small edit; what is left is reported, and a second run has nothing to do."""
    config = words.folder / "cog.yaml"
    text = "# mine\nbuild:\n  python_version: {}  # why\n  fast: true\npredict: predict.py:Predictor\n"
    config.write_text(text.format(HERE))
    before = words("doctor")
    assert "`cog doctor --fix` mends 2 of them" in before.stdout
    done = words("doctor", "--fix")
    assert done.returncode == 0
    assert done.stdout.count("fixed  cog.yaml: ") == 2
    assert config.read_text() == text.format(f'"{HERE}"').replace("  fast: true\n", "")
    again = words("doctor", "--fix")
    assert "fixed" not in again.stdout


@pytest.mark.network
@pytest.mark.slow
def test_fix_pins_what_is_resolved_now(words: Command) -> None:
    """The versions that the environment gets, written where the requirement stands."""
    config = words.folder / "cog.yaml"
    config.write_text(config.read_text().replace("}\n", ", python_packages: [certifi]}\n"))
    done = words("doctor", "--fix")
    if "stay as they are" in done.stderr:
        pytest.skip("no package index can be reached")
    assert "python_packages: [certifi==" in config.read_text()


def test_no_project_is_said(cog: Command) -> None:
    """As every command says it."""
    done = cog("doctor")
    assert done.returncode == 1
    assert "`cog init`" in done.stderr


def test_a_locale_without_the_letters_ends_no_command(cog: Command) -> None:
    """Where it knows ASCII alone, text goes in and out as UTF-8; another encoding gets what it lacks as stderr does."""
    cog("init")
    ascii_alone = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert "✓ schema" in cog("doctor", **ascii_alone).stdout
    assert cog("predict", "-i", "text=Grüße", **ascii_alone).stdout == "hello Grüße\n"
    assert "\\u2713 schema" in cog("doctor", PYTHONIOENCODING="latin-1").stdout


def test_output_that_goes_nowhere_is_no_defect(cog: Command) -> None:
    """A full disk is named, also by `--help`; a closed stdout is nobody's mistake."""
    cog("init")
    command = str(Path(sys.executable).parent / "cog")
    for asked, status, said in (
        (f"'{command}' --help > /dev/full", 1, "no room is left on the disk"),
        (f"'{command}' --help >&-", 0, ""),
        (f"'{command}' doctor >&-", 0, ""),
    ):
        done = subprocess.run(
            ["/bin/sh", "-c", asked], cwd=cog.folder, capture_output=True, text=True, check=False
        )
        assert (done.returncode, said in done.stderr, "defect" in done.stderr) == (status, True, False), done
