"""Make `.venv` with everything the workspace needs, on a machine that has only Python, git and make.

Fetches uv if there is none, installs `requirements.lock` with its hashes, then the four packages in place.
A second run with nothing changed does nothing. Standard library only: this file runs before anything is installed.

`.venv` is made of the Python that runs this, unless that one was compiled without Python's own optimizations, as pyenv
does if it isn't told otherwise: it takes up to twice the time for everything, so the system's is preferred. `--this`
(`make setup PYTHON=…`) settles it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
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
SYSTEM = Path("/usr/bin/python3")
#: What a Python of the system's needs to have; Debian sells its standard library in parts.
USABLE = "import ctypes, sqlite3, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))"


def main() -> int:
    """Bring `.venv` up to date; return the exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this script is what tells people so
        print(
            f"Python {sys.version.split()[0]} runs this; Cogyard's tools need 3.11 or newer.", file=sys.stderr
        )
        print("Name another one: make PYTHON=python3.12 …", file=sys.stderr)
        return 2
    named = "--this" in sys.argv[1:]
    fingerprint = _fingerprint()
    kept = is_made_of(sys.executable if named else None, VENV)
    if not (kept and STAMP.exists() and STAMP.read_text() == fingerprint):
        try:
            _install(find_or_fetch_uv(), kept=kept, named=named)
        except subprocess.CalledProcessError as error:
            print(
                f"Setting up .venv failed: {error}. The lines above say why; run it again after that.",
                file=sys.stderr,
            )
            return 1
        _compile(VENV / "lib")
        STAMP.write_text(fingerprint)
    _compile(*(ROOT / "packages" / name / "src" for name in PACKAGES))
    return 0


def _install(uv: str, *, kept: bool, named: bool) -> None:
    if not kept:
        shutil.rmtree(VENV, ignore_errors=True)
        run(uv, "venv", "--quiet", "--seed", "--python", choose_python(named=named), str(VENV))
    run(uv, "pip", "sync", "--quiet", "--require-hashes", "requirements.lock")
    editable = [part for name in PACKAGES for part in ("-e", f"packages/{name}")]
    run(uv, "pip", "install", "--quiet", "--no-deps", *editable)


def _compile(*folders: Path) -> None:
    """Compile what is new, where Python may not keep what it compiled: else every command compiles all it imports."""
    if sys.dont_write_bytecode:
        python = str(VENV / "bin" / "python")
        subprocess.run([python, "-m", "compileall", "-qq", "-j0", *map(str, folders)], check=False)


def choose_python(
    *,
    named: bool,
    this: str = sys.executable,
    options: str | None = sysconfig.get_config_var("CONFIG_ARGS"),
    system: Path = SYSTEM,
) -> str:
    """Return the Python to make `.venv` of: this one, or a usable one of the system's where this one is slow.

    `options` is what this one was configured with; None where nobody wrote that down (Windows).
    """
    fast = options is None or "--enable-optimizations" in options
    if named or fast or Path(sys.base_prefix) in system.parents or not _is_usable(system):
        return this
    print(
        f"{this} was compiled without its optimizations, so .venv is made of {system}. `make setup PYTHON={this}`"
        " takes it all the same.",
        file=sys.stderr,
    )
    return str(system)


def _is_usable(python: Path) -> bool:
    return (
        python.exists()
        and subprocess.run([python, "-c", USABLE], capture_output=True, check=False).returncode == 0
    )


def is_made_of(python: str | None, environment: Path) -> bool:
    """Whether an environment is there and works, and was made of this Python; None: of any."""
    if not (environment / "bin" / "python").exists():
        return False
    if python is None:
        return True
    text = (environment / "pyvenv.cfg").read_text("utf-8")
    home = next(
        value for name, _, value in (line.partition(" = ") for line in text.splitlines()) if name == "home"
    )
    return Path(home).resolve() == Path(python).resolve().parent


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
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
