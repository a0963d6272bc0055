"""`cog init` and `cog predict`, from an empty folder to the output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from cogyard.cli.cog import COMMANDS as COG_COMMANDS
from cogyard.cli.cogyard import COMMANDS as COGYARD_COMMANDS


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start."""
        ...


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").resolve().is_relative_to(folder):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def gone(folder: Path, seconds: float = 30) -> bool:
    """Wait until no process works in a folder any more."""
    end = time.monotonic() + seconds
    while processes_of(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_an_empty_folder_becomes_a_model_that_runs(cog: Command) -> None:
    """Cog init, cog predict: nothing in between."""
    assert cog("init").returncode == 0
    done = cog("predict", "-i", "text=world")
    assert (done.returncode, done.stdout) == (0, "hello world\n")
    assert "✓ Building environment from cog.yaml" in done.stderr
    assert "✓ Model running in environment" in done.stderr


def test_init_leaves_what_is_there(cog: Command) -> None:
    """A second init changes nothing, and says so."""
    cog("init")
    (cog.folder / "predict.py").write_text("mine")
    done = cog("init")
    assert done.returncode == 0
    assert done.stderr.count("Skipped existing") == 4
    assert (cog.folder / "predict.py").read_text() == "mine"


def test_a_script_written_for_cog_runs(words: Command) -> None:
    """Cog's options without effect are taken, with a word where it matters; `--debug` may follow the command."""
    done = words("predict", "--debug", "--progress", "plain", "--use-cog-base-image=false", "-i", "count=1")
    assert done.returncode == 0, done.stderr
    assert "Warning: `--use-cog-base-image` has no effect here" in done.stderr
    assert "--progress" not in done.stderr


def test_run_is_predict(words: Command) -> None:
    """Cog's newer name works, also from a folder below."""
    (words.folder / "below").mkdir()
    done = subprocess.run(
        ["sh", "-c", 'cd below && exec "$0" run -i count=1', str(_executable())],
        cwd=words.folder,
        env=words.env,  # type: ignore[attr-defined] # the real fixture has it
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "word0 \n")


def _executable() -> Path:
    return Path(sys.executable).parent / "cog"


def test_text_comes_as_it_is_made(words: Command) -> None:
    """The first word is there long before the last."""
    child = words.start("predict", "-i", "count=4", "-i", "pause=0.3")
    assert child.stdout is not None
    assert child.stdout.read(6) == "word0 "
    first = time.monotonic()
    assert child.stdout.read() == "word1 word2 word3 \n"
    assert time.monotonic() - first > 0.5
    child.communicate(timeout=30)
    assert child.returncode == 0


def test_a_failing_prediction_shows_why(words: Command) -> None:
    """The traceback and the model's own text are on stderr; the status is 1."""
    done = words("predict", "-i", "fail=true")
    assert done.returncode == 1
    assert "about to fail" in done.stderr
    assert 'raise ValueError("boom")' in done.stderr
    assert done.stderr.rstrip().endswith("Error: the prediction failed: boom")
    assert done.stdout == "word0 word1 word2 "


def test_a_failing_setup_shows_why(words: Command) -> None:
    """setup()'s traceback is shown, and nobody waits for a model that will not come."""
    done = words("predict", SETUP_ERROR="no weights")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "Error: the model's setup failed: no weights" in done.stderr
    done = words("predict", "--setup-timeout", "0.2", SETUP_SECONDS="60")
    assert done.returncode == 1
    assert "0.2 seconds" in done.stderr


def test_variables_reach_the_model(words: Command) -> None:
    """-e wins over the environment of cog.yaml."""
    config = words.folder / "cog.yaml"
    config.write_text(config.read_text() + "environment: [SETUP_ERROR=from the file]\n")
    assert "from the file" in words("predict").stderr
    assert "from the option" in words("predict", "-e", "SETUP_ERROR=from the option").stderr


def test_a_token_is_given_to_the_model_when_asked(words: Command) -> None:
    """--use-replicate-token puts REPLICATE_API_TOKEN into the context, where Cog has it, and only then."""
    (words.folder / "predict.py").write_text(
        "import cog\ndef run() -> str:\n    return str(dict(cog.current_scope().context))\n"
    )
    config = words.folder / "cog.yaml"
    config.write_text(config.read_text().replace("predict.py:Predictor", "predict.py:run"))
    asked = words("predict", "--use-replicate-token", REPLICATE_API_TOKEN="r8_x")
    assert asked.stdout.strip() == "{'replicate_api_token': 'r8_x'}"
    assert "r8_x" not in asked.stderr
    assert words("predict", REPLICATE_API_TOKEN="r8_x").stdout.strip() == "{}"
    without = words("predict", "--use-replicate-token", REPLICATE_API_TOKEN="")
    assert (without.returncode, "REPLICATE_API_TOKEN is not set" in without.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-i", "cuont=3"], "Did you mean `count`?"),
        (["-i", "count=0"], "count: must be at least 1"),
        (["-i", "count=many"], "expected a whole number"),
        (["-i", "count"], "the expected form is name=value"),
        (["count=3"], "Write: cog predict -i count=3"),
        (["--json", "{}", "-i", "count=1"], "cannot be used together"),
        (["--json", "{"], "not valid JSON"),
        (["-e", "oops"], "NAME=value"),
        (["--setup-timeout", "0"], "is not in the range"),
    ],
)
def test_misuse_is_told_before_anything_is_built(words: Command, arguments: list[str], said: str) -> None:
    """Status 2, one message, no environment made, no model started."""
    done = words("predict", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Building" not in done.stderr
    assert not done.stdout


def test_a_project_that_is_wrong_is_told_whole(words: Command) -> None:
    """Every problem of cog.yaml, each with its place; a missing one with the way to begin."""
    config = words.folder / "cog.yaml"
    config.write_text(
        config.read_text().replace("predict.py:Predictor", "predict.py:Predictr") + "gpu: true\n"
    )
    done = words("predict")
    assert done.returncode == 1
    assert "cog.yaml:2:10: `predict.py` has no `Predictr`" in done.stderr
    assert "cog.yaml:3:1: unknown key `gpu`" in done.stderr
    config.unlink()
    done = words("predict")
    assert done.returncode == 1
    assert "cog init" in done.stderr


def test_a_predictor_that_does_not_import_is_shown(write: Callable[[str], Command]) -> None:
    """The author's traceback, not ours."""
    cog = write("import nothing_of_this_name\nfrom cog import BasePredictor\n\nclass Predictor(BasePredictor):\n"
                "    def predict(self) -> str:\n        return ''\n")  # fmt: skip
    done = cog("predict")
    assert done.returncode == 1
    assert "nothing_of_this_name" in done.stderr
    assert "cogyard/cli" not in done.stderr


def test_the_model_is_alone_in_its_environment(write: Callable[[str], Command]) -> None:
    """`python` in a subprocess is the model's own, and the user's PYTHONPATH does not reach in."""
    cog = write(
        "import os, subprocess, sys\n\ndef prefix():\n"
        "    code = 'import sys; print(sys.prefix)'\n"
        "    return subprocess.run(['python', '-c', code], capture_output=True, text=True).stdout.strip()\n\n"
        "class Predictor:\n    def predict(self) -> list[str]:\n"
        "        return [sys.prefix, prefix(), os.environ['VIRTUAL_ENV'], *[p for p in sys.path if 'elsewhere' in p]]\n"
    )
    first, *others = json.loads(cog("predict", PYTHONPATH="/elsewhere", VIRTUAL_ENV="/elsewhere").stdout)
    assert others == [first, first]


def test_an_input_without_a_type_is_shown_in_the_source(write: Callable[[str], Command]) -> None:
    """What makes a model impossible to describe is told at its line."""
    cog = write("class Predictor:\n    def predict(self, n) -> int:\n        return 1\n")
    done = cog("predict", "-i", "n=1")
    assert done.returncode == 1
    assert "Error: predict.py:2: input 'n' of predict() has no type" in done.stderr
    assert cog("schema").returncode == 1


def test_a_schema_that_only_the_running_model_knows_is_used(write: Callable[[str], Command]) -> None:
    """Choices computed at import time are not in the source's text; the model is asked then."""
    cog = write(
        "from cog import BasePredictor, Input\nNAMES = [str(n) for n in range(3)]\n\n"
        "class Predictor(BasePredictor):\n"
        "    def predict(self, name: str = Input(choices=NAMES, default='0')) -> str:\n        return name\n"
    )
    assert cog("predict", "-i", "name=2").stdout == "2\n"
    done = cog("predict", "-i", "name=7")
    assert done.returncode == 2
    assert "must be one of: 0, 1, 2" in done.stderr


def test_a_schema_that_only_the_code_knows_is_asked_of_it(write: Callable[[str], Command]) -> None:
    """`cog schema`, `cog debug` and builds load the code where its source does not tell, in the model's environment."""
    cog = write(
        "import os\nfrom cog import BasePredictor, Input\n\nprint('imported')\n\n"
        "class Predictor(BasePredictor):\n"
        "    def predict(self, name: str = Input(default=os.environ.get('WHO', 'you'))) -> str:\n        return name\n"
    )
    (cog.folder / "json.py").write_text("raise SystemExit('not mine')\n")
    with (cog.folder / "cog.yaml").open("a") as file:
        file.write("environment: [WHO=me]\n")
    done = cog("schema")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["components"]["schemas"]["Input"]["properties"]["name"]["default"] == "me"
    assert "predict.py:7: input 'name': the default" in done.stderr
    doctor = cog("doctor")
    assert "a build loads the code to know" in doctor.stdout
    (cog.folder / "predict.py").write_text("import nowhere\nPredictor = nowhere.Predictor\n")
    failed = cog("schema")
    assert failed.returncode == 1
    assert "predict.py:Predictor could not be loaded to ask it for its inputs" in failed.stderr
    assert "No module named 'nowhere'" in failed.stderr


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("    def predict(self) -> str:\n        os._exit(3)\n", "the prediction failed"),
        ("    def setup(self):\n        os.kill(os.getpid(), 9)\n    def predict(self) -> str:\n        return ''\n",
         "the model's setup failed"),
    ],
)  # fmt: skip
def test_a_process_that_dies_is_told(write: Callable[[str], Command], method: str, said: str) -> None:
    """A crash of the model is a failure with a reason, not a hang."""
    done = write(f"import os\n\nclass Predictor:\n{method}")("predict")
    assert done.returncode == 1
    assert said in done.stderr


def test_files_go_in_and_come_out(write: Callable[[str], Command]) -> None:
    """A picture from stdin or by path; the output beside us, or where -o says."""
    cog = write(
        "import pathlib, tempfile\nfrom cog import BasePredictor, Path\n\nclass Predictor(BasePredictor):\n"
        "    def predict(self, image: Path) -> Path:\n"
        "        out = pathlib.Path(tempfile.mkdtemp()) / 'made.txt'\n"
        "        out.write_bytes(image.read_bytes() * 2)\n        return Path(out)\n"
    )
    (cog.folder / "in.txt").write_text("ab")
    done = cog("predict", "-i", "image=@in.txt")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("Written output to output.txt\n")
    assert (cog.folder / "output.txt").read_text() == "abab"
    assert cog("predict", "-i", "image=@-", "-o", "mine.txt", stdin="xy").returncode == 0
    assert (cog.folder / "mine.txt").read_text() == "xyxy"
    done = cog("predict", "-i", "image=@inn.txt")
    assert done.returncode == 2
    assert "Did you mean `@in.txt`?" in done.stderr
    answer = json.loads(cog("predict", "--json", '{"image": "@in.txt"}').stdout)
    assert answer["output"] == "data:text/plain;base64,YWJhYg=="
    assert answer["status"] == "succeeded"


def test_json_goes_in_and_comes_out(words: Command) -> None:
    """--json reads a file or stdin, and prints the whole answer."""
    answer = json.loads(words("predict", "--json", "-", stdin='{"count": 2}').stdout)
    assert answer["output"] == ["word0 ", "word1 "]
    assert answer["metrics"]["predict_time"] >= 0
    failed = words("predict", "--json", '{"fail": true}')
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["error"] == "boom"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moment", ["setup", "prediction"])
def test_an_ended_command_leaves_nothing(
    words: Command, number: signal.Signals, status: int, moment: str
) -> None:
    """Ctrl-C in setup or in the middle of a prediction: its status, and no process behind."""
    slow = {"SETUP_SECONDS": "60"} if moment == "setup" else {}
    child = words.start("predict", "-i", "count=1000", "-i", "pause=0.05", **slow)
    assert child.stdout is not None
    assert child.stderr is not None
    if moment == "prediction":
        assert child.stdout.read(5) == "word0"
    else:
        while "setting up" not in child.stderr.readline():
            pass
    os.killpg(child.pid, number)
    _, said = child.communicate(timeout=20)
    assert child.returncode == status
    assert "Traceback" not in said
    assert "defect" not in said
    assert gone(words.folder)
    left = [one.name for one in words.folder.parent.iterdir() if one != words.folder]
    assert left == [], f"left in TMPDIR: {left}"


def test_a_killed_command_leaves_no_model_behind(words: Command) -> None:
    """Even SIGKILL: the worker sees its server go, and ends by itself."""
    child = words.start("predict", "-i", "count=1000", "-i", "pause=0.05")
    assert child.stdout is not None
    assert child.stdout.read(5) == "word0"
    child.kill()
    child.wait(10)
    assert gone(words.folder)


def test_a_reader_that_leaves_ends_the_command(words: Command) -> None:
    """`cog predict | head` ends without a complaint."""
    child = words.start("predict", "-i", "count=1000", "-i", "pause=0.01")
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.read(5) == "word0"
    child.stdout.close()
    said = child.stderr.read()
    assert child.wait(20) == 1
    assert "Traceback" not in said
    assert "Error" not in said
    assert gone(words.folder)
    child.stderr.close()


@pytest.mark.parametrize(("name", "rows"), [("cog", COG_COMMANDS), ("cogyard", COGYARD_COMMANDS)])
def test_help_imports_nothing_heavy(name: str, rows: dict[str, object]) -> None:
    """However many commands there are, their modules are not loaded for the list, nor what runs them."""
    script = f"""\
import sys
sys.argv = [{name!r}, "--help"]
from cogyard.cli.start import {name}
{name}()
heavy = {{"click", "yaml", "rich", "asyncio", "msgspec", "packaging", "httpx2", "starlette", "cog_server"}}
print("LOADED", sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
    assert all(f"\n  {command} " in done.stdout for command in rows)


def test_the_second_run_makes_nothing(words: Command, cache: Path) -> None:
    """The environment is there already: nothing is resolved, fetched or installed again."""
    words("predict", "-i", "count=1")
    environments = cache / "environments"
    before = {each.name: each.stat().st_ctime_ns for each in environments.iterdir()}
    assert before
    again = words("predict", "-i", "count=1")
    assert "Resolving" not in again.stderr
    assert {each.name: each.stat().st_ctime_ns for each in environments.iterdir()} == before
