"""Indexes that want a password, PyTorch's own index, and where passwords do not go; over real HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.environment import (
    Lock,
    Target,
    UnresolvableError,
    lock_for,
    lock_path,
    make_environment,
)
from cogyard.environment.making import make_lock
from cogyard.environment.resolve import resolve
from cogyard.image.build import build
from cogyard.image.errors import BuildNotPossibleError
from cogyard.image.platforms import local_platform
from cogyard.project import Project, load_project

from tests.integration.environment.conftest import wheel
from tests.integration.environment.index_server import IndexServer, serving

HERE = "{}.{}".format(*sys.version_info[:2])
SECRET = "s3cretpassword"
LOGIN = f"me:{SECRET}"


@pytest.fixture
def private(index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """Serve alpha and beta to those who have the password; no other index can be asked."""
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    with serving(index, LOGIN) as server:
        yield server


def project(folder: Path, requirements: str, *, gpu: bool = False, cuda: str = "") -> Project:
    """Write a project with a requirements file and read it."""
    folder.mkdir(exist_ok=True)
    extra = f'  cuda: "{cuda}"\n' if cuda else ""
    build = f'build:\n  python_version: "{HERE}"\n  gpu: {str(gpu).lower()}\n{extra}  python_requirements: r.txt\n'
    (folder / "cog.yaml").write_text(f"{build}predict: p.py:P\n")
    (folder / "p.py").write_text("class P:\n    def predict(self, s: str) -> str:\n        return s\n")
    (folder / "r.txt").write_text(requirements)
    return load_project(folder)


def everything_below(folder: Path, *, but: Path) -> bytes:
    """Return all that was written, except the file that a person wrote the password into."""
    return b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file() and one != but)


@pytest.mark.parametrize(
    "way", ["netrc", "address", "extra", "variable", "setting", "named", "flat", "direct"]
)
def test_each_way_to_give_a_password_works_and_keeps_it(
    private: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Resolved, locked, installed; and the password is in no lock, no environment, no cache, no message."""
    plain, known = private.simple, private.with_login(LOGIN)
    lines = {
        "netrc": f"--index-url {plain}\nalpha\n",
        "address": f"--index-url {known}\nalpha\n",
        "extra": f"--no-index\n--extra-index-url {known}\nalpha\n".replace("--no-index\n", ""),
        "variable": f"--index-url {private.with_login('${WHO}:${WORD}')}\nalpha\n",
        "setting": "alpha\n",
        "named": "alpha\n",
        "flat": f"--no-index\n--find-links http://{LOGIN}@{private.address}/flat/alpha\n"
        f"--find-links http://{LOGIN}@{private.address}/flat/beta\nalpha\n",
        "direct": f"--index-url {known}\nalpha @ http://{LOGIN}@{private.address}/files/alpha-2.0-py3-none-any.whl\n",
    }[way]
    settings = {
        "netrc": {"NETRC": str(tmp_path / "netrc")},
        "variable": {"WHO": "me", "WORD": SECRET},
        "setting": {"UV_DEFAULT_INDEX": known},
        "named": {
            "UV_DEFAULT_INDEX": f"mine={plain}",
            "UV_INDEX_MINE_USERNAME": "me",
            "UV_INDEX_MINE_PASSWORD": SECRET,
        },
    }.get(way, {})
    if way == "netrc":
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    one = project(tmp_path / "project", lines)
    said: list[str] = []
    made = make_lock(one, [local_platform()], on_progress=said.append, on_warning=said.append)
    lock_path(one).write_text(made.text)
    found = lock_for(one, Target(python=HERE))
    assert [f"{each.name} {each.version}" for each in found.packages] == ["alpha 2.0", "beta 2.0"]
    assert found.origin == "cog.lock"
    assert make_environment(found, on_progress=said.append).python.exists()
    assert made.because("beta") == ("alpha 2.0 requires beta>=2",)  # read in the wheel, with the password
    (tmp_path / "netrc").unlink(missing_ok=True)
    written = everything_below(tmp_path, but=tmp_path / "project" / "r.txt")
    assert SECRET.encode() not in written
    assert SECRET not in f"{made.text}{said}{found!r}"


def test_without_the_password_the_message_says_so(private: IndexServer, tmp_path: Path) -> None:
    """And repeats no password, not even a wrong one."""
    one = project(tmp_path / "project", f"--index-url {private.with_login('me:wr0ngpassword')}\nalpha\n")
    with pytest.raises(UnresolvableError) as caught:
        resolve(one, Target(python=HERE))
    said = f"{caught.value}{caught.value.hint}"
    assert "401" in said
    assert "does the index want a user and password?" in said
    assert "wr0ngpassword" not in said


def test_a_password_that_would_be_in_the_image_stops_the_build(private: IndexServer, tmp_path: Path) -> None:
    """Before any work; a file that .dockerignore leaves out is no matter."""
    one = project(tmp_path / "project", f"--index-url {private.with_login(LOGIN)}\nalpha\n")
    with pytest.raises(BuildNotPossibleError) as caught:
        build(one, base="./nothing")
    assert caught.value.message.startswith("r.txt:1:1: a password stands in the address")
    assert SECRET not in f"{caught.value}{caught.value.hint}"
    assert not private.asked
    (one.root / ".dockerignore").write_text("r.txt\n")
    with pytest.raises(Exception, match="there is no base"):
        build(load_project(one.root), base="./nothing")


@pytest.fixture
def torch(index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """Serve a torch with CUDA in the ordinary index, and one for CPUs and one for CUDA 11.8 on pages of their own."""
    wheel(index, "torch", "2.0", "nvidia-cuda-runtime-cu12==12.1.105")
    wheel(index, "nvidia_cuda_runtime_cu12", "12.1.105")
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    with serving(index) as ordinary:
        monkeypatch.setenv("UV_DEFAULT_INDEX", ordinary.simple)
        yield ordinary


@pytest.fixture
def pytorch(tmp_path: Path) -> Iterator[IndexServer]:
    """Serve what PyTorch's own index has: builds with a local version."""
    (tmp_path / "pytorch").mkdir()
    wheel(tmp_path / "pytorch", "torch", "2.0+cpu")
    with serving(tmp_path / "pytorch") as server:
        yield server


def versions(lock: Lock) -> list[str]:
    """Return name and version of each package."""
    return [f"{one.name} {one.version}" for one in lock.packages]


def test_cpu_builds_are_taken_where_their_index_answers(
    torch: IndexServer, pytorch: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GPU no package of CUDA comes along; with one, what the ordinary index has."""
    monkeypatch.setenv("COGYARD_TORCH_INDEX", f"http://{pytorch.address}/flat")
    found = resolve(project(tmp_path / "project", "torch==2.0\n"), Target(python=HERE))
    assert versions(found) == ["torch 2.0+cpu"]
    assert found.warnings == ()
    assert make_environment(found).python.exists()
    with_gpu = resolve(project(tmp_path / "project", "torch==2.0\n", gpu=True), Target(python=HERE))
    assert versions(with_gpu) == ["nvidia-cuda-runtime-cu12 12.1.105", "torch 2.0"]


def test_an_index_of_cpu_builds_that_does_not_answer_is_told(
    torch: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ordinary build is taken, and what that costs is said."""
    monkeypatch.setenv("COGYARD_TORCH_INDEX", "http://127.0.0.1:9/whl")
    found = resolve(project(tmp_path / "project", "torch\n"), Target(python=HERE))
    assert versions(found) == ["nvidia-cuda-runtime-cu12 12.1.105", "torch 2.0"]
    (warning,) = found.warnings
    assert warning.startswith("torch 2.0 brings 1 package of CUDA")
    assert "COGYARD_TORCH_INDEX" in warning


def test_another_cuda_than_the_index_has_is_refused_in_one_sentence(
    torch: IndexServer, pytorch: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way out; where PyTorch's index has it, it is taken."""
    monkeypatch.setenv("COGYARD_TORCH_INDEX", "http://127.0.0.1:9/whl")
    one = project(tmp_path / "project", "torch==2.0\n", gpu=True, cuda="11.8")
    with pytest.raises(UnresolvableError) as caught:
        resolve(one, Target(python=HERE))
    assert caught.value.message.startswith(
        "cog.yaml asks for CUDA 11.8, and torch 2.0 from this index brings CUDA 12.1"
    )
    wheel(pytorch.folder, "torch", "2.0+cu118")
    (pytorch.folder / "torch-2.0+cpu-py3-none-any.whl").unlink()
    monkeypatch.setenv("COGYARD_TORCH_INDEX", f"http://{pytorch.address}/flat")
    assert versions(resolve(one, Target(python=HERE))) == ["torch 2.0+cu118"]
