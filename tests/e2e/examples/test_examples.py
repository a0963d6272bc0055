"""The examples, as their READMEs say: fetched, run, looked at."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
COG = Path(sys.executable).parent / "cog"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a runner of commands in an example's folder; outputs go to a folder of the test's own."""

    def run(example: str, *command: str) -> Done:
        return subprocess.run(
            command,
            cwd=EXAMPLES / example,
            env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return run


def fetch(run: Run, example: str) -> None:
    """Fetch an example's weights, or skip the test where no package index is reachable."""
    done = run(example, sys.executable, "fetch_weights.py")
    if done.returncode:
        pytest.skip(f"the weights of {example} cannot be fetched here: {done.stderr.strip()[-300:]}")


def test_hello_world_greets(run: Run) -> None:
    """The smallest example works without a network."""
    done = run("hello-world", str(COG), "predict", "-i", "text=world")
    assert (done.returncode, done.stdout) == (0, "hello world\n")
    assert run("hello-world", str(COG), "predict", "--json", "@input.json").returncode == 0


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("scale", "size"), [("1.5", (240, 180)), ("2.0", (320, 240)), ("3.3", (528, 396)), ("8", (1280, 960))]
)
def test_upscale_enlarges_the_picture(run: Run, tmp_path: Path, scale: str, size: tuple[int, int]) -> None:
    """The output has exactly the wanted size and shows the same picture, with more detail than Lanczos gives."""
    fetch(run, "upscale")
    output = tmp_path / "out.png"
    done = run(
        "upscale", str(COG), "predict", "-i", "image=@input.jpg", "-i", f"scale={scale}", "-o", str(output)
    )
    assert done.returncode == 0, done.stderr
    with Image.open(EXAMPLES / "upscale" / "input.jpg") as opened, Image.open(output) as made:
        small, large = opened.convert("RGB"), made.convert("RGB")
    assert large.size == size
    back = large.resize(small.size, Image.Resampling.BOX)
    assert difference(small, back) < 6
    assert sharpness(large) > sharpness(small.resize(size, Image.Resampling.LANCZOS))


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK"])
def test_upscale_takes_any_kind_of_picture(run: Run, tmp_path: Path, mode: str) -> None:
    """Transparency is kept; grey, palette and print pictures are taken."""
    fetch(run, "upscale")
    source, output = tmp_path / ("in.tif" if mode == "CMYK" else "in.png"), tmp_path / "out.png"
    with Image.open(EXAMPLES / "upscale" / "input.jpg") as opened:
        picture = opened.convert(mode).crop((0, 0, 41, 33))
    if mode == "RGBA":
        picture.putalpha(120)
    picture.save(source)
    done = run("upscale", str(COG), "predict", "-i", f"image=@{source}", "-i", "scale=2", "-o", str(output))
    assert done.returncode == 0, done.stderr
    with Image.open(output) as made:
        assert made.size == (82, 66)
        assert made.mode == ("RGBA" if mode == "RGBA" else "RGB")


@pytest.mark.slow
@pytest.mark.network
def test_upscale_refuses_what_is_no_picture(run: Run) -> None:
    """The model's own error reaches the user."""
    fetch(run, "upscale")
    done = run("upscale", str(COG), "predict", "-i", "image=@README.md")
    assert done.returncode == 1
    assert "cannot identify image file" in done.stderr


@pytest.mark.slow
@pytest.mark.network
def test_chat_streams_a_true_answer(run: Run) -> None:
    """A real language model answers, word by word, and the same each time at temperature 0."""
    fetch(run, "chat")
    question = ["-i", "prompt=What is the capital of France?", "-i", "max_tokens=24", "-i", "temperature=0"]
    answers = {run("chat", str(COG), "predict", *question).stdout for _ in range(2)}
    assert len(answers) == 1
    assert "Paris" in answers.pop()


@pytest.mark.slow
@pytest.mark.network
def test_chat_refuses_what_it_cannot_hold(run: Run, tmp_path: Path) -> None:
    """A prompt longer than the model's memory fails with the two numbers."""
    fetch(run, "chat")
    (tmp_path / "long.txt").write_text("word " * 6000)
    done = run("chat", str(COG), "predict", "-i", f"prompt=@{tmp_path}/long.txt")
    assert done.returncode == 1
    assert "exceeds the available context size (4096 tokens)" in done.stderr


@pytest.mark.slow
@pytest.mark.network
def test_chat_stops_when_it_is_told_to(run: Run) -> None:
    """Ctrl-C in the middle of an answer ends the model at once."""
    import signal

    fetch(run, "chat")
    command = [str(COG), "predict", "-i", "prompt=Count to a thousand.", "-i", "max_tokens=2048"]
    child = subprocess.Popen(
        command,
        cwd=EXAMPLES / "chat",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.read(1)
    began = time.monotonic()
    os.killpg(child.pid, signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert time.monotonic() - began < 20


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("example", ["upscale", "chat"])
def test_weights_are_fetched_once_and_checked(run: Run, tmp_path: Path, example: str) -> None:
    """A damaged file is fetched again, a whole one is not; nothing else stays in the folder."""
    fetch(run, example)
    copy = tmp_path / example
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns(".fetching-*", ".*.part"))
    wanted = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (copy / "weights").iterdir()
    }
    script = [sys.executable, "fetch_weights.py"]
    done = subprocess.run(script, cwd=copy, capture_output=True, text=True, check=True)
    assert done.stdout == "weights/ is complete.\n"
    damaged = next(iter((copy / "weights").iterdir()))
    damaged.write_bytes(b"damaged")
    subprocess.run(script, cwd=copy, capture_output=True, check=True)
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (copy / "weights").iterdir()
    }
    assert found == wanted


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("example", ["upscale", "chat"])
def test_a_model_without_its_weights_says_how_to_get_them(run: Run, tmp_path: Path, example: str) -> None:
    """setup() fails with the name of the script."""
    fetch(run, example)  # skips without an index, which the environment needs too
    copy = tmp_path / example
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns("weights"))
    given = "image=@input.jpg" if example == "upscale" else "prompt=hello"
    done = subprocess.run(
        [str(COG), "predict", "-i", given], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "fetch them: python fetch_weights.py" in done.stderr.splitlines()[-1]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures' values, 0 to 255."""
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(first - second) for first, second in pairs) / (3 * one.width * one.height)


def sharpness(picture: Image.Image) -> float:
    """Return the mean difference between neighbours in a row."""
    grey = picture.convert("L")
    row, values = grey.width, grey.tobytes()
    steps = [abs(values[index] - values[index - 1]) for index in range(1, len(values)) if index % row]
    return sum(steps) / len(steps)
