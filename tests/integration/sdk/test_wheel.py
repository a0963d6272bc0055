"""The built wheel, not the tree: pure, complete, and of the standard library only."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

SDK = Path(__file__).parents[3] / "packages" / "sdk"

#: Imports that are asked for only by the package they belong to, inside functions.
EVERY_MODULE = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import cog
names = [m.name for m in pkgutil.walk_packages(cog.__path__, "cog.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
for name in cog.__all__:
    getattr(cog, name)
foreign = sorted({n.partition(".")[0] for n in sys.modules} - {n.partition(".")[0] for n in before}
                 - set(sys.stdlib_module_names) - {"cog"})
print(json.dumps({"names": names, "foreign": foreign}))
"""
#: A fresh import of the package, in milliseconds, the best of several.
BUDGET_MS = 15.0
TIMING = """
import sys, time
sys.path.insert(0, sys.argv[1])
t = time.perf_counter()
import cog
print((time.perf_counter() - t) * 1000)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the bundled backend; nothing is fetched."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [uv.find_uv_bin(), "build", "--offline", "--wheel", "--out-dir", str(out), str(SDK)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it where nothing else is installed."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def bare(script: str, folder: Path) -> str:
    """Run a script in an interpreter without site-packages; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", script, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_is_pure_and_typed(wheel: Path) -> None:
    """One wheel for every platform, without requirements, with its types, without anything but the package."""
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert "cog/py.typed" in names
    assert "Requires-Dist" not in metadata
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cog", "cogyard_sdk"}


def test_every_module_needs_the_standard_library_only(unpacked: Path) -> None:
    """Each module of the wheel imports in a bare interpreter, without a warning, and loads nothing of others'."""
    found = json.loads(bare(EVERY_MODULE, unpacked))
    assert found["foreign"] == []
    on_disk = {
        ".".join(path.relative_to(unpacked).with_suffix("").parts).removesuffix(".__init__")
        for path in (unpacked / "cog").rglob("*.py")
    }
    assert {name for name in on_disk if not name.endswith("__main__")} == {"cog", *found["names"]}


def test_import_cog_is_quick(unpacked: Path) -> None:
    """`import cog` stays within its budget."""
    bare(TIMING, unpacked)  # compiles
    assert min(float(bare(TIMING, unpacked)) for _ in range(5)) < BUDGET_MS
