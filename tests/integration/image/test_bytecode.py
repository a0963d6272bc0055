"""Bytecode is compiled ahead by a real Python: the same bytes each time, and such that the image's Python uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest
from cogyard.image.wheels import fetch
from cogyard.image.wheels.bytecode import Compiler
from cogyard.image.wheels.compilers import Compilers, StoppedError
from cogyard.image.wheels.layout import Layout

VERSION = "{}.{}".format(*sys.version_info[:2])
LAYOUT = Layout(root="opt/cog/model", python=VERSION)
SITE = f"opt/cog/model/lib/python{VERSION}/site-packages"


@pytest.fixture
def wheel(tmp_path: Path) -> fetch.Wheel:
    """Give a wheel of 300 modules, one of which is not Python."""
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    names = frozenset(f"key{number}" for number in range(50))
    source = (
        f"NAMES = {set(names)!r}\n\ndef found(name):\n    return name in {{'a', 'b', 'c'}}, NAMES, __file__\n"
    )
    files = {f"demo/m{number:03}.py": f"{source}NUMBER = {number}\n" for number in range(300)}
    files |= {
        "demo/__init__.py": "",
        "demo/broken.py": "print 'Python 2'",
        "demo/data.txt": "not a module",
        "demo/tests/test_it.py": "",
    }
    files |= {"demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n", "demo-1.0.dist-info/RECORD": ""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return fetch.local(path)


def compiled(wheel: fetch.Wheel, cache: Path, mtime: int = 0) -> dict[str, bytes]:
    """Compile the wheel with this very Python."""
    compiler = Compiler(Path(sys.executable), cache, mtime=mtime)
    try:
        return dict(compiler.compile(wheel, LAYOUT))
    finally:
        compiler.stop()


def test_every_module_has_its_file(wheel: fetch.Wheel, tmp_path: Path) -> None:
    """Beside each module, under the name its Python looks for; what does not compile is left out, and so are tests."""
    found = compiled(wheel, tmp_path / "cache")
    tag = f"cpython-{VERSION.replace('.', '')}"
    assert len(found) == 301
    assert f"{SITE}/demo/__pycache__/m007.{tag}.pyc" in found
    assert f"{SITE}/demo/__pycache__/broken.{tag}.pyc" not in found
    assert not [path for path in found if "tests" in path]
    assert all(data.startswith(MAGIC_NUMBER) for data in found.values())


def test_the_same_wheel_gives_the_same_bytes(wheel: fetch.Wheel, tmp_path: Path) -> None:
    """Two runs without what the first remembered agree to the byte; a third takes what is remembered."""
    first = compiled(wheel, tmp_path / "one")
    assert compiled(wheel, tmp_path / "two") == first
    (tmp_path / "kept").mkdir()
    wheel.path.rename(tmp_path / "kept" / wheel.path.name)
    assert compiled(wheel, tmp_path / "one") == first


def test_python_takes_it_for_the_module(wheel: fetch.Wheel, tmp_path: Path) -> None:
    """The file holds the module's time and size, so it is used as it is, and not once the module is changed."""
    root = tmp_path / "root"
    found = compiled(wheel, tmp_path / "cache", mtime=1_000_000)
    with zipfile.ZipFile(wheel.path) as archive:
        archive.extractall(root / SITE)
    for path, data in found.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(data)
    for module in (root / SITE / "demo").glob("*.py"):
        os.utime(module, (1_000_000, 1_000_000))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import demo.m007 as m; print(m.NUMBER, m.found('a')[0])"
    )
    command = [sys.executable, "-v", "-B", "-c", code, str(root / SITE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "7 True\n"
    assert "m007" in next(line for line in done.stderr.splitlines() if "matches" in line and "m007" in line)
    os.utime(root / SITE / "demo/m007.py", (2_000_000, 2_000_000))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not [line for line in done.stderr.splitlines() if "matches" in line and "m007" in line]


def job(wheel: fetch.Wheel, out: Path, *members: str) -> str:
    """Return a job for some modules of the wheel."""
    pairs = [(each, f"/{SITE}/{each}") for each in members]
    return json.dumps({"wheel": str(wheel.path), "members": pairs, "mtime": 0, "out": str(out)})


def test_what_was_compiled_before_changes_no_byte(wheel: fetch.Wheel, tmp_path: Path) -> None:
    """A process that has done other jobs writes what a fresh one writes."""
    compilers = Compilers(Path(sys.executable))
    assert compilers.run(job(wheel, tmp_path / "first", "demo/m001.py"))
    for number in range(20):
        assert compilers.run(
            job(wheel, tmp_path / "other", *(f"demo/m{each:03}.py" for each in range(number, 90)))
        )
    assert not compilers.run(job(wheel, tmp_path / "none", "demo/there_is_none.py"))
    assert compilers.run(job(wheel, tmp_path / "last", "demo/m001.py"))
    compilers.stop()
    assert (tmp_path / "last").read_bytes() == (tmp_path / "first").read_bytes()


def test_a_job_without_an_end_is_given_up(wheel: fetch.Wheel, tmp_path: Path) -> None:
    """The process goes, with what it forked; the next job has another one."""
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)
    compilers = Compilers(Path(sys.executable), seconds=0.2)
    assert not compilers.run(job(wheel, stuck, "demo/m001.py"))
    compilers.stop()
    patient = Compilers(Path(sys.executable))
    assert patient.run(job(wheel, tmp_path / "out", "demo/m001.py"))
    patient.stop()


def test_a_build_that_ends_ends_its_compiling(wheel: fetch.Wheel, tmp_path: Path) -> None:
    """Whoever waits for a job hears that it is over, and nothing half-compiled is kept."""
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)
    compilers = Compilers(Path(sys.executable))
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(compilers.run, job(wheel, stuck, "demo/m001.py")) for _ in range(8)]
        compilers.stop()
        assert [type(each.exception(timeout=20)) for each in waiting] == [StoppedError] * 8
    with pytest.raises(StoppedError):
        compilers.run(job(wheel, tmp_path / "out", "demo/m001.py"))
