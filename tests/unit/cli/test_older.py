"""Command lines as scripts written for Cog have them."""

from __future__ import annotations

import pytest
from cogyard.cli.build import build
from cogyard.cli.exec import exec_
from cogyard.cli.older import COGS, means_exec, read_for
from cogyard.cli.predict import predict


@pytest.mark.parametrize(
    ("given", "kept", "without"),
    [
        ("-t a --separate-weights --progress plain -o b", "-t a -o b", ["--separate-weights", "--progress"]),
        ("--use-cog-base-image=false -t a", "-t a", ["--use-cog-base-image"]),
        ("--use-cog-base-image -t a", "-t a", ["--use-cog-base-image"]),
        ("--use-cuda-base-image auto", "", ["--use-cuda-base-image"]),
        ("--timestamp=-1 --strip --precompile", "", ["--timestamp", "--strip", "--precompile"]),
        ("-t --strip", "-t --strip", []),
        ("--nothing", "--nothing", []),
        ("--progress", "", ["--progress"]),
    ],
)
def test_options_without_effect_are_taken_out(given: str, kept: str, without: list[str]) -> None:
    """With their values; the value of an option of the command's own stays what it is."""
    line = read_for("build", build, given.split())
    assert (line.words, line.everywhere, line.without) == (kept.split(), [], without)


def test_options_of_every_command_may_stand_after_it() -> None:
    """`cog predict --debug`, as with Cog."""
    line = read_for("predict", predict, ["--debug", "-i", "text=--debug", "--json", "--no-color", "image"])
    assert line.words == ["-i", "text=--debug", "--json", "--no-color", "image"]
    assert line.everywhere == ["--debug"]


def test_the_words_of_exec_are_its_own() -> None:
    """From the command that is to be run on, nothing is looked at; nor after two dashes."""
    words = ["--progress=plain", "-e", "A=b", "--debug", "tool", "--debug", "--progress", "x"]
    line = read_for("exec", exec_, words)
    assert line.words == ["-e", "A=b", "tool", "--debug", "--progress", "x"]
    assert line.everywhere == ["--debug"]
    assert read_for("build", build, ["--", "--strip"]).words == ["--", "--strip"]


def test_commands_that_cog_does_not_have_take_none() -> None:
    """An option of another command stays, and is refused as ever."""
    assert read_for("doctor", build, ["--strip"]).words == ["--strip"]
    assert "--separate-weights" not in COGS["predict"]


@pytest.mark.parametrize(
    "line",
    [
        "echo hello world",
        "script/download-weights",
        "script/download-weights --fast",
        "-p 5000 python -m cog.server.http",
        "-e A=b --gpus all --progress plain python -c print(1)",
        "python",
        "bash",
        "python train.py --steps 3",
        "-p 8888",
    ],
)
def test_run_may_mean_exec(line: str) -> None:
    """`cog run` with a command, as models' own pages say it, runs the command."""
    assert means_exec(line.split(), predict, exec_, "script/download-weights".__eq__)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-i text=a",
        "-e A=b -i text=a",
        "r8.im/owner/name",
        "owner/name -i text=a",
        "name --json {}",
        "name --use-cog-base-image=false",
        "name --debug",
        "name --help",
        "--engine none name -o out.png",
        "text=a",
        "name text=a",
        "name",
    ],
)
def test_run_of_a_model_stays_one(line: str) -> None:
    """What can be a prediction is one."""
    assert not means_exec(line.split(), predict, exec_, lambda _: False)
