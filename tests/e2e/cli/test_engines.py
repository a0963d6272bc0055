"""The same model as processes and in Docker; images of ours and of Cog's own; nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker import Docker

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.slow, pytest.mark.xdist_group("docker")]

COG = Path(sys.executable).parent / "cog"
IMAGE = "cogyard-cli-test"
THEIRS = "cogyard-cli-test-theirs"
CONFIG = """\
build:
  python_version: "3.11"
predict: "predict.py:Predictor"
environment:
  - COLOUR=green
"""
SOURCE = """\
import os
import time

from cog import BasePredictor, ConcatenateIterator, Input, Path


class Predictor(BasePredictor):
    def setup(self):
        print("setting up", os.environ["COLOUR"], os.environ.get("MORE"))

    def predict(
        self,
        text: str = Input(description="whom"),
        file: Path = Input(default=None),
        pause: float = 0.0,
    ) -> Path:
        print("working on", text)
        time.sleep(pause)
        if text == "fail":
            raise ValueError("boom")
        with open("/tmp/made.txt", "w") as made:
            made.write(text + (file.read_text() if file else ""))
        return Path("/tmp/made.txt")
"""


class Person:
    """Somebody with a project folder, a home and a Docker engine."""

    def __init__(self, folder: Path, docker: Docker, cache: Path) -> None:
        self.folder = folder
        self.docker = docker
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COG")}
        self.env = {
            **kept,
            "DOCKER_HOST": docker.host,
            "DOCKER_CONFIG": str(docker.config),
            "COGYARD_CACHE_DIR": str(cache),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def cog(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run cog to its end."""
        return subprocess.run(
            [COG, *arguments], cwd=self.folder, env={**self.env, **env}, input=stdin, capture_output=True,
            text=True, timeout=240, check=False,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start cog in a process group of its own."""
        return subprocess.Popen(
            [COG, *arguments], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def containers(self) -> list[str]:
        """Return the names of our containers, also of those that have ended."""
        done = self.docker(
            "ps", "--all", "--filter", "label=run.cog.command", "--format", "{{.Names}} {{.Image}}"
        )
        return [line for line in done.stdout.decode().splitlines() if IMAGE in line]


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory, docker: Docker, cache: Path) -> Iterator[Person]:
    """Give somebody who has built an image."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "cog.yaml").write_text(CONFIG)
    (folder / "predict.py").write_text(SOURCE)
    found = Person(folder, docker, cache)
    built = found.cog("build", "-t", IMAGE, "--no-load")
    if built.returncode:
        pytest.skip(f"an image cannot be built here: {built.stderr[-300:]}")
    yield found
    docker("image", "rm", "--force", IMAGE, THEIRS, "cog-project0")


@pytest.fixture(autouse=True)
def _nothing_stays(person: Person) -> Iterator[None]:
    yield
    assert person.containers() == []


@pytest.mark.parametrize("engine", ["none", "docker", "auto"])
def test_an_image_runs_the_same_with_and_without_containers(person: Person, engine: str) -> None:
    """Inputs, files in and out, variables, logs and messages are the same."""
    done = person.cog(
        "predict", IMAGE, "--engine", engine, "-e", "MORE=1", "-i", "text=a ", "-i", "file=@cog.yaml", "-o", "-"
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"a {CONFIG}")
    assert "setting up green 1\n" in done.stderr
    assert done.stderr.count("working on a") == 1
    assert ("docker" in done.stderr.split("✓ Model running in ")[1]) is (engine != "none")


@pytest.mark.parametrize("engine", ["none", "docker"])
def test_failures_are_the_same_too(person: Person, engine: str) -> None:
    """A model's error with its traceback; a mistake in the inputs before anything starts; --json tells all."""
    failed = person.cog("predict", IMAGE, "--engine", engine, "-i", "text=fail")
    assert failed.returncode == 1
    assert "ValueError: boom" in failed.stderr
    assert failed.stderr.endswith("Error: the prediction failed: boom\n")
    wrong = person.cog("predict", IMAGE, "--engine", engine, "-i", "txet=x")
    assert (wrong.returncode, "Did you mean `text`?" in wrong.stderr) == (2, True)
    assert "Model running" not in wrong.stderr
    whole = person.cog("predict", IMAGE, "--json", "-", stdin='{"text": "x"}', COG_ENGINE=engine)
    answer = json.loads(whole.stdout)
    assert (answer["status"], answer["output"]) == ("succeeded", "data:text/plain;base64,eA==")


def test_a_project_runs_in_the_engine_when_asked(person: Person) -> None:
    """Built, given to the engine, run there; exec puts the folder in the place of the source."""
    done = person.cog("predict", "--engine", "docker", "-i", "text=hello")
    assert done.returncode == 0
    assert (person.folder / "output.txt").read_text() == "hello"
    script = (
        "import os; print(os.getcwd(), os.environ['COLOUR'], os.environ['A'], os.path.exists('output.txt'))"
    )
    ran = person.cog(
        "exec", "--engine", "docker", "-e", "A=b", "python", "-c", script + "; raise SystemExit(3)"
    )
    assert (ran.returncode, ran.stdout) == (3, "/src green b True\n")
    assert "Tini" not in ran.stderr  # ours in the image says nothing of not being the first process


def test_ctrl_c_ends_the_container(person: Person) -> None:
    """At once, with 130; `_nothing_stays` sees that it is gone."""
    child = person.start("predict", IMAGE, "--engine", "docker", "-i", "text=x", "-i", "pause=60")
    assert child.stderr is not None
    while "Model running" not in (line := child.stderr.readline()):
        assert line
    os.killpg(child.pid, signal.SIGINT)
    begun = time.monotonic()
    child.communicate(timeout=30)
    assert child.returncode == 130
    assert time.monotonic() - begun < 15


def test_an_image_is_served_until_ctrl_c(person: Person) -> None:
    """Its own server, on a port of this machine."""
    child = person.start("serve", IMAGE, "--engine", "docker", "-p", "0")
    assert child.stderr is not None
    line = ""
    while "Serving at" not in line:
        line = child.stderr.readline()
        assert line
    address = line.split()[-1]
    while True:
        with urllib.request.urlopen(f"{address}/health-check", timeout=10) as answer:
            if json.load(answer)["status"] == "READY":
                break
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, "Stopped." in said) == (0, True)


def test_an_image_that_ends_by_itself_is_told(person: Person) -> None:
    """Its last words and its exit status."""
    person.docker("build", "-t", THEIRS, "-", stdin=f"FROM {IMAGE}\nENV COG_PROJECT=/nowhere\n".encode())
    done = person.cog("predict", THEIRS, "--engine", "docker", "-i", "text=x")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "/nowhere" in done.stderr


def test_what_is_no_model_or_not_there_is_told(person: Person) -> None:
    """Neither a stranger's image nor a missing one ends in a riddle."""
    person.docker("image", "tag", IMAGE, "cogyard-cli-test-plain")
    person.docker("build", "-t", "cogyard-cli-test-plain", "-", stdin=b'FROM scratch\nLABEL a=b\nCMD ["x"]\n')
    plain = person.cog("predict", "cogyard-cli-test-plain", "--engine", "docker")
    assert (plain.returncode, "not the image of a model" in plain.stderr) == (1, True)
    missing = person.cog("predict", "127.0.0.1:1/no/such", "--engine", "docker")
    assert missing.returncode == 1
    assert "could not pull it" in missing.stderr
    person.docker("image", "rm", "--force", "cogyard-cli-test-plain")


@pytest.fixture(scope="module")
def theirs(person: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an image with Cog's own server inside, made over our base."""
    import uv

    folder = tmp_path_factory.mktemp("theirs")
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python-version", "3.11"]
    wanted = subprocess.run(
        [*install, "--target", str(folder / "site"), "cog==0.23.1"],
        capture_output=True,
        text=True,
        check=False,
    )
    if wanted.returncode:
        pytest.skip(f"Cog cannot be had here: {wanted.stderr[-200:]}")
    (folder / ".dockerignore").write_text("")
    schema = person.cog("schema").stdout
    (folder / "openapi_schema.json").write_text(schema)
    label = json.dumps(json.dumps(json.loads(schema))).replace("$", "\\$")
    (folder / "Dockerfile").write_text(
        f"FROM {IMAGE}\nCOPY site /opt/site\nCOPY openapi_schema.json /src/.cog/openapi_schema.json\n"
        "ENV PYTHONPATH=/opt/site\n"
        f"LABEL run.cog.openapi_schema={label}\n"
        'CMD ["/usr/bin/python3", "-m", "cog.server.http"]\n'
    )
    loaded = person.cog("predict", IMAGE, "--engine", "docker", "-i", "text=x", "-o", "-")
    assert loaded.returncode == 0, loaded.stderr
    made = person.docker("build", "-t", THEIRS, str(folder))
    assert made.returncode == 0, made.stderr.decode()
    return THEIRS


def test_an_image_of_cogs_own_runs_the_same(person: Person, theirs: str) -> None:
    """HTTP is all there is: files, logs, failures and the whole answer come out alike."""
    done = person.cog("predict", theirs, "-i", "text=a ", "-i", "file=@cog.yaml", "-o", "-")
    assert (done.returncode, done.stdout) == (0, f"a {CONFIG}")
    assert "working on a" in done.stderr
    failed = person.cog("predict", theirs, "-i", "text=fail")
    assert failed.returncode == 1
    assert "Error: the prediction failed: " in failed.stderr
    assert "boom" in failed.stderr
    answer = json.loads(person.cog("predict", theirs, "--json", '{"text": "x"}').stdout)
    assert (answer["status"], answer["output"]) == ("succeeded", "data:text/plain;base64,eA==")


def test_an_image_of_cogs_own_needs_an_engine(person: Person, theirs: str) -> None:
    """There is no lock in it to make an environment from, and it is not in the local store."""
    done = person.cog("predict", theirs, "--engine", "none", "-i", "text=x")
    assert done.returncode == 1
    assert "Docker or podman" in done.stderr
