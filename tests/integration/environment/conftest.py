"""A package index of our own: a folder of small wheels, so that these tests need no network."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.project import Project, load_project


def wheel(folder: Path, name: str, version: str, *requires: str, code: str = "") -> Path:
    """Write a pure-Python wheel."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{name}.py": code or f'__version__ = "{version}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for inside, text in files.items():
            archive.writestr(zipfile.ZipInfo(inside), text)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of wheels that uv looks into; caches are empty and nothing may be downloaded."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel(folder, "alpha", "1.0", "beta>=1")
    wheel(folder, "alpha", "2.0", "beta>=2")
    wheel(folder, "beta", "1.0")
    wheel(folder, "beta", "2.0")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return folder


@pytest.fixture
def project(index: Path) -> Callable[..., Project]:
    """Return a maker of projects that ask for packages, for the Python that runs the tests."""
    folder = index.parent / "project"
    version = "{}.{}".format(*sys.version_info[:2])

    def make(*packages: str) -> Project:
        folder.mkdir(exist_ok=True)
        listed = ", ".join(f'"{one}"' for one in packages)
        build = f'build:\n  python_version: "{version}"\n  python_packages: [{listed}]\n'
        (folder / "cog.yaml").write_text(f"{build}predict: p.py:P\n")
        (folder / "p.py").write_text("class P: ...\n")
        return load_project(folder)

    return make
