"""Make `.venv` with everything the workspace needs, on a machine that has only Python, git and make.

Fetches uv if there is none, installs `requirements.lock` with its hashes, then the four packages in place.
A second run with nothing changed does nothing. Standard library only: this file runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
UV_HOME = ROOT / ".cache" / "uv-tool"
STAMP = VENV / ".bootstrap"
PACKAGES = ("sdk", "model-server", "client", "cogyard")
INPUTS = ("requirements.lock", *(f"packages/{name}/pyproject.toml" for name in PACKAGES))
UV_INSTALLER = "https://astral.sh/uv/install.sh"


def main() -> int:
    """Bring `.venv` up to date; return the exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this script is what tells people so
        print(
            f"Python {sys.version.split()[0]} runs this; Cogyard's tools need 3.11 or newer.", file=sys.stderr
        )
        print("Name another one: make PYTHON=python3.12 …", file=sys.stderr)
        return 2
    fingerprint = _fingerprint()
    if STAMP.exists() and STAMP.read_text() == fingerprint:
        return 0
    try:
        uv = find_or_fetch_uv()
        if not (VENV / "bin" / "python").exists():
            run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(VENV))
        run(uv, "pip", "sync", "--quiet", "--require-hashes", "requirements.lock")
        editable = [part for name in PACKAGES for part in ("-e", f"packages/{name}")]
        run(uv, "pip", "install", "--quiet", "--no-deps", *editable)
    except subprocess.CalledProcessError as error:
        print(
            f"Setting up .venv failed: {error}. The lines above say why; run it again after that.",
            file=sys.stderr,
        )
        return 1
    STAMP.write_text(fingerprint)
    return 0


def find_or_fetch_uv() -> str:
    """Return the path of a uv, fetching one into `.cache/` when the machine has none."""
    found = shutil.which("uv")
    if found:
        return found
    local = UV_HOME / "bin" / "uv"
    if local.exists():
        return str(local)
    print("Fetching uv …", file=sys.stderr)
    if _uv_by_pip() or _uv_by_installer():
        return str(local)
    print(
        "uv is not here and could not be fetched, neither with pip nor with its own installer.\n"
        "Install it (or on Debian and Ubuntu: apt install python3-venv) and run this again.",
        file=sys.stderr,
    )
    raise SystemExit(1)


def _uv_by_pip() -> bool:
    # Debian without python3-venv has venv but not ensurepip: then there is no pip in it, and we go on.
    made = subprocess.run([sys.executable, "-m", "venv", str(UV_HOME)], capture_output=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(UV_HOME, ignore_errors=True)
        return False
    pip = [
        str(UV_HOME / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "uv",
    ]
    return subprocess.run(pip, check=False).returncode == 0


def _uv_by_installer() -> bool:
    (UV_HOME / "bin").mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(UV_INSTALLER, timeout=60) as answer:
            script = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"{UV_INSTALLER}: {error}", file=sys.stderr)
        return False
    with tempfile.NamedTemporaryFile(suffix=".sh") as file:
        file.write(script)
        file.flush()
        env = {**os.environ, "UV_INSTALL_DIR": str(UV_HOME / "bin"), "UV_NO_MODIFY_PATH": "1"}
        return subprocess.run(["/bin/sh", file.name], env=env, check=False).returncode == 0


def run(*command: str) -> None:
    """Run one command in the project's root with `.venv` as its environment."""
    subprocess.run(command, cwd=ROOT, env={**os.environ, "VIRTUAL_ENV": str(VENV)}, check=True)


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
