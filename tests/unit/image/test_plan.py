"""The plan: which layers an image has, in which order, and how its container starts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cog.server.http import IN_IMAGES
from cogyard.image.bases.base import Base
from cogyard.image.build import build, default_name
from cogyard.image.errors import BuildNotPossibleError
from cogyard.image.plan import (
    LARGE_WEIGHTS,
    LARGE_WHEEL,
    MOST_GROUPS,
    MOST_LARGE,
    MOST_LAYERS,
    MOST_WEIGHTS,
    SERVER_ROOT,
    Plan,
    make_plan,
)
from cogyard.image.steps.dockerfile import Steps
from cogyard.image.wheels.selected import Selected
from cogyard.oci.config import RunConfig
from cogyard.oci.layout import ImageStore
from cogyard.project import Build, Concurrency, Config, Project, RunCommand
from cogyard.project.ignore import SourceFile
from inline_snapshot import snapshot

BASE = Base(
    name="debian:bookworm",
    architecture="amd64",
    layers=(),
    run=RunConfig(env=["PATH=/usr/bin", "LANG=C.UTF-8"]),
    python="/usr/bin/python3.11",
    python_version="3.11",
    has_tini=True,
)
SERVER = (
    Selected(
        name="uvicorn", version="0.54", filename="uvicorn.whl", sha256="0" * 64, size=1, url="u", path=None
    ),
)


def wheel(name: str, size: int) -> Selected:
    """Return a selected wheel of a size."""
    return Selected(
        name=name, version="1.0", filename=f"{name}.whl", sha256=f"{size:064x}", size=size, url="u", path=None
    )


def project(build_keys: Build | None = None, **keys: object) -> Project:
    """Return a project with this configuration."""
    made = build_keys or Build(python_version="3.11")
    config = Config(build=made, predict="predict.py:Predictor", **keys)  # type: ignore[arg-type] # keys of cog.yaml
    return Project(root=Path("/models/Hello World!"), config_file=Path("/models/cog.yaml"), config=config)


def source(name: str, size: int = 10, *, weights: bool = False) -> SourceFile:
    """Return a file of the project."""
    return SourceFile(path=Path("/nowhere") / name, name=name, size=size, is_weights=weights)


def plan(made: Project, *wheels: Selected, files: tuple[SourceFile, ...] = (source("predict.py"),)) -> Plan:
    """Plan a project over the test's base."""
    return make_plan(made, BASE, model=wheels, server=SERVER, files=files)


def test_what_changes_seldom_is_below() -> None:
    """System packages, server, large packages by size, small ones together, SDK, lock, weights, and source on top."""
    made = project(
        Build(python_version="3.11", gpu=True, system_packages=("git", "ffmpeg")), train="train.py:train"
    )
    files = (
        source("weights.bin", LARGE_WEIGHTS, weights=True),
        source("w/small.bin", 5, weights=True),
        source("predict.py"),
    )
    wheels = (
        wheel("tiny", 10),
        wheel("torch", LARGE_WHEEL * 9),
        wheel("numpy", LARGE_WHEEL),
        wheel("attrs", 20),
    )
    assert plan(made, *wheels, files=files).describe() == snapshot("""\
system    ffmpeg git
server    2 packages
bytecode  of server 2 packages
package   torch 1.0
bytecode  of package torch 1.0
package   numpy 1.0
bytecode  of package numpy 1.0
packages  2 packages
bytecode  of packages 2 packages
sdk       cogyard-sdk
bytecode  of sdk cogyard-sdk
lock      /opt/cog/pylock.toml
weights   weights.bin
weights   1 file
source    1 file
env       PATH=/opt/cog/model/bin:/usr/bin
env       LANG=C.UTF-8
env       PYTHONUNBUFFERED=1
env       COG_PYTHON=/opt/cog/model/bin/python
env       COG_PROJECT=/src
env       COG_PREDICT_TYPE_STUB=predict.py:Predictor
env       COG_TRAIN_TYPE_STUB=train.py:train
env       NVIDIA_VISIBLE_DEVICES=all
env       NVIDIA_DRIVER_CAPABILITIES=compute,utility\
""")


def test_the_container_starts_the_server_under_an_init() -> None:
    """Tini is the entry point where the base has it, and only there."""
    made = plan(project())
    assert made.entrypoint == ("/usr/bin/tini", "--")
    assert made.cmd == ("/opt/cog/server/bin/python", "-m", "cog_server")
    without = msgspec.structs.replace(BASE, has_tini=False)
    assert make_plan(project(), without, model=(), server=SERVER, files=()).entrypoint == ()


def test_the_sdk_knows_where_the_server_is() -> None:
    """`python -m cog.server.http` in an image starts the server that the plan puts there."""
    assert f"/{SERVER_ROOT}/bin/python" == IN_IMAGES


def test_the_projects_own_variables_win() -> None:
    """cog.yaml's environment comes last, concurrency is told to the server."""
    made = project(environment={"LANG": "de", "HF_HOME": "/src/hf"}, concurrency=Concurrency(max=8))
    env = dict(each.split("=", 1) for each in plan(made).env)
    assert (env["LANG"], env["HF_HOME"], env["COG_MAX_CONCURRENCY"]) == ("de", "/src/hf", "8")


def test_traces_that_cog_yaml_asks_for_are_on_in_the_image() -> None:
    """The server's variables are in the image; without traces there is none of them."""
    made = project(observability={"config": "tracing.py", "traces": {"enabled": True}})
    env = dict(each.split("=", 1) for each in plan(made).env)
    assert (env["COG_TRACE_ENABLED"], env["COG_OBSERVABILITY_CONFIG"]) == ("1", "tracing.py")
    assert env["OTEL_TRACES_SAMPLER"] == "parentbased_always_off"
    assert not any(each.startswith(("COG_TRACE", "OTEL")) for each in plan(project()).env)


def test_there_are_never_too_many_layers() -> None:
    """Only the largest wheels stand alone, the rest gather in groups of bounded size."""
    wheels = [wheel(f"p{number:03}", LARGE_WHEEL + number) for number in range(100)]
    layers = plan(project(), *wheels).layers
    alone = [layer for layer in layers if layer.kind == "package"]
    groups = [layer for layer in layers if layer.kind == "packages"]
    assert len(alone) == MOST_LARGE
    assert min(layer.size for layer in alone) > max(
        each.size or 0 for group in groups for each in group.wheels
    )
    assert len(groups) <= MOST_GROUPS
    assert sum(len(layer.wheels) for layer in [*alone, *groups]) == 100


def test_an_edit_changes_one_layer() -> None:
    """The plan of another source differs in the source layer alone."""
    before = plan(project(), wheel("a", 1), files=(source("predict.py"),))
    after = plan(project(), wheel("a", 1), files=(source("predict.py"), source("more.py")))
    assert [one.kind for one, other in zip(before.layers, after.layers, strict=True) if one != other] == [
        "source"
    ]


def test_the_default_name_is_the_folders() -> None:
    """It is always a name that docker takes."""
    assert default_name(project()) == "cog-hello-world"


@pytest.mark.parametrize("folder", ["日本語", "___", "-a-", "A" * 80, "a--b__c"])
def test_any_folder_gives_a_good_name(folder: str) -> None:
    """Whatever the folder is called, the name is lower-case, short and clean."""
    made = project()
    name = default_name(
        Project(root=Path("/work") / folder, config_file=made.config_file, config=made.config)
    )
    assert name.startswith("cog-")
    assert len(name) <= 30
    assert name == name.lower()
    assert not name.endswith("-")


def test_build_steps_of_ones_own_are_refused_before_any_work(tmp_path: Path) -> None:
    """`run:` needs a container engine; nothing is resolved, fetched or written before that is said."""
    made = project(Build(python_version="3.11", run=(RunCommand(command="make install"),)))
    store = ImageStore(tmp_path)
    with pytest.raises(BuildNotPossibleError) as caught:
        build(made, store=store)
    assert "make install" in caught.value.message
    assert "Docker" in (caught.value.hint or "")
    assert store.names() == {}


@pytest.mark.parametrize("platform", ["linux/riscv64", "windows/amd64", "arm64", ""])
def test_an_impossible_platform_is_refused(tmp_path: Path, platform: str) -> None:
    """The message names the platforms there are."""
    with pytest.raises(BuildNotPossibleError) as caught:
        build(project(), store=ImageStore(tmp_path), platform=platform or "linux/")
    assert "linux/amd64" in caught.value.message


def test_steps_are_between_the_packages_and_the_source() -> None:
    """Commands see the model's packages and pip; an edit of the source is above them and runs nothing again."""
    made = project(Build(python_version="3.11", system_packages=("git",), run=(RunCommand(command="make"),)))
    pip = (wheel("pip", 10),)
    found = make_plan(
        made, BASE, model=(wheel("attrs", 20),), server=SERVER, files=(source("predict.py"),), tools=pip
    )
    assert [layer.kind for layer in found.layers] == [
        "system", "server", "bytecode", "packages", "bytecode", "sdk", "bytecode", "packages", "bytecode",
        "run", "lock", "source",
    ]  # fmt: skip
    assert found.layers[9].steps == Steps(commands=(RunCommand(command="make"),))


def test_an_engine_installs_the_system_packages() -> None:
    """They are then the first step: by dpkg over a Debian whose archive we know, by apt over anything else."""
    made = project(Build(python_version="3.11", system_packages=("git",)))
    for codename, expected in (("bookworm", Steps(dpkg=("git",))), ("noble", Steps(apt=("git",)))):
        base = msgspec.structs.replace(BASE, codename=codename, status="x")
        found = make_plan(made, base, model=(), server=SERVER, files=(), engine=True)
        kinds = [layer.kind for layer in found.layers if layer.kind != "bytecode"]
        assert kinds == ["server", "sdk", "run", "lock", "source"]
        assert next(layer.steps for layer in found.layers if layer.steps) == expected


def test_an_init_comes_along_with_system_packages() -> None:
    """A base without tini gets it where packages are installed anyway, and only then is it the entry point."""
    base = msgspec.structs.replace(BASE, has_tini=False, status="x")
    with_packages = project(Build(python_version="3.11", system_packages=("git",)))
    found = make_plan(with_packages, base, model=(), server=SERVER, files=())
    assert found.layers[0].system_packages == ("git", "tini")
    assert found.entrypoint == ("/usr/bin/tini", "--")
    assert make_plan(project(), base, model=(), server=SERVER, files=()).entrypoint == ()


def test_a_large_project_stays_within_the_budget() -> None:
    """Hundreds of packages and weight files make no more layers than a container can be mounted from."""
    wheels = [wheel(f"large{number}", LARGE_WHEEL * (number + 1)) for number in range(100)]
    wheels += [wheel(f"small{number}", LARGE_WHEEL - number - 1) for number in range(500)]
    files = tuple(source(f"w/{number}.bin", LARGE_WEIGHTS + number, weights=True) for number in range(300))
    found = plan(project(), *wheels, files=(*files, source("predict.py")))
    kinds = [layer.kind for layer in found.layers]
    assert kinds.count("packages") <= MOST_GROUPS
    assert kinds.count("weights") == MOST_WEIGHTS + 1
    assert len(kinds) < MOST_LAYERS - 10
    assert sum(len(layer.files) for layer in found.layers) == 301
    assert sum(len(layer.wheels) for layer in found.layers if layer.kind in {"package", "packages"}) == 600
