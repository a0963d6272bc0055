"""The local environment of `cog predict`: how long until the model's Python is there, with a gigabyte of packages.

    .venv/bin/python bench/environment.py [--rounds 5] [--packages numpy,scipy,…] [--pip]

Each round: our environment when nothing but uv's cache of wheels is there (what a second model, or a changed
requirement, costs), our environment when it is there already (every later `cog predict`), and plain `uv venv` with
`uv pip sync` of the same lock, which is the limit. With --pip also `venv` and pip from its own cache. Packages come
from the index that uv is set to, once, into a cache of the benchmark's own. Wall times, and the CPU seconds of the
process and its children; starting Python and importing our modules is in ours.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uv

HERE = "{}.{}".format(*sys.version_info[:2])
PACKAGES = (
    "numpy", "scipy", "pandas", "scikit-learn", "pyarrow", "matplotlib", "opencv-python-headless", "polars", "numba",
)  # fmt: skip
OURS = """
import sys
from pathlib import Path
from cogyard.environment import Target, lock_for, make_environment
from cogyard.project import load_project
project = load_project(Path(sys.argv[1]))
print(make_environment(lock_for(project, Target(python=project.python_version))).python)
"""


@dataclass
class Task:
    """One thing that is timed; `before` puts its starting point back."""

    name: str
    run: Callable[[], None]
    before: Callable[[], None] = lambda: None
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Run once."""
        self.before()
        cpu, began = _cpu(), time.perf_counter()
        self.run()
        self.walls.append(time.perf_counter() - began)
        self.cpus.append(_cpu() - cpu)


class Place:
    """Caches, a project and its lock in one folder, so that files can be linked and not copied."""

    def __init__(self, root: Path, packages: list[str]) -> None:
        self.root = root
        self.project = root / "project"
        self.project.mkdir()
        listed = ", ".join(f'"{one}"' for one in packages)
        config = f'build:\n  python_version: "{HERE}"\n  python_packages: [{listed}]\npredict: p.py:P\n'
        (self.project / "cog.yaml").write_text(config)
        (self.project / "p.py").write_text(
            "class P:\n    def predict(self, s: str) -> str:\n        return s\n"
        )
        self.env = {
            **os.environ,
            "COGYARD_CACHE_DIR": str(root / "cogyard"),
            "UV_CACHE_DIR": str(root / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def ours(self) -> None:
        """Make our environment, in a process of its own as a command does."""
        self._call([sys.executable, "-c", OURS, str(self.project)])

    def forget_environments(self) -> None:
        """Leave the lock and uv's cache."""
        shutil.rmtree(self.root / "cogyard" / "environments", ignore_errors=True)

    def uv_alone(self) -> None:
        """Do the same by uv's own commands."""
        python = str(self.root / "plain" / "bin" / "python")
        self._call([uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(self.root / "plain")])
        lock = next((self.root / "cogyard" / "locks").glob("*/pylock.toml"))
        self._call([uv.find_uv_bin(), "pip", "sync", "-q", "--offline", "--python", python, str(lock)])

    def pip(self) -> None:
        """Do the same by pip."""
        python = str(self.root / "piped" / "bin" / "python")
        self._call([sys.executable, "-m", "venv", str(self.root / "piped")])
        lines = "\n".join(self.frozen())
        (self.root / "frozen.txt").write_text(f"{lines}\n")
        options = ["--no-deps", "--cache-dir", str(self.root / "pip"), "-r", str(self.root / "frozen.txt")]
        self._call([python, "-m", "pip", "install", "-q", *options])

    def frozen(self) -> list[str]:
        """Return the packages of our environment."""
        python = next((self.root / "cogyard" / "environments").glob("*/bin/python"))
        done = self._call([uv.find_uv_bin(), "pip", "freeze", "--python", str(python)])
        return [line for line in done.splitlines() if line and not line.startswith("cogyard-sdk")]

    def size(self) -> tuple[int, int]:
        """Return the bytes and the number of files of our environment."""
        environment = next((self.root / "cogyard" / "environments").glob("*/lib"))
        files = [one for one in environment.rglob("*") if one.is_file() and not one.is_symlink()]
        return sum(one.stat().st_size for one in files), len(files)

    def remove(self, name: str) -> None:
        """Take away an environment that is not ours."""
        shutil.rmtree(self.root / name, ignore_errors=True)

    def _call(self, command: list[str]) -> str:
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{command[:4]}: {done.stderr[-2000:]}")
        return done.stdout


def _cpu() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packages", default=",".join(PACKAGES))
    parser.add_argument("--pip", action="store_true", help="also by pip, once")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cogyard-bench-", dir=Path.home() / ".cache") as folder:
        place = Place(Path(folder), asked.packages.split(","))
        print("fetching the packages once …", flush=True)
        place.ours()
        size, files = place.size()
        packages = len(place.frozen())
        print(f"{packages} packages, {size / 1e9:.2f} GB in {files:,} files", flush=True)
        tasks = [
            Task("ours, made from uv's cache", place.ours, place.forget_environments),
            Task("ours, there already", place.ours),
            Task("uv venv + uv pip sync", place.uv_alone, lambda: place.remove("plain")),
        ]
        for number in range(asked.rounds):
            for task in [*tasks[number % 2 :], *tasks[: number % 2]]:
                task.measure()
        if asked.pip:
            pip = Task("venv + pip from its cache", place.pip, lambda: place.remove("piped"))
            place.pip()
            pip.measure()
            tasks.append(pip)
        print(
            f"\nload {os.getloadavg()[0]:.1f}\n\n| | s, median | s, best | CPU s, median |\n|---|---|---|---|"
        )
        for task in tasks:
            row = (statistics.median(task.walls), min(task.walls), statistics.median(task.cpus))
            print(f"| {task.name} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.2f} |")


if __name__ == "__main__":
    main()
