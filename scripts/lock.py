"""Resolve `requirements.lock` from the four packages and the dev group: universal, hashed, naming no host.

uv.lock records the address of the index it was made with; this form does not, so the same file serves behind any
mirror (docs/decisions/0002-one-lock-without-hosts.md).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Made by `make lock`. Every version the workspace runs with, each file by hash.\n"
OWN = re.compile(r"^cogyard(-[a-z-]+)?\b")


def main() -> int:
    """Write the lock and return the exit status."""
    wanted: set[str] = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"])
    for manifest in sorted((ROOT / "packages").glob("*/pyproject.toml")):
        project = tomllib.loads(manifest.read_text())["project"]
        wanted.update(project.get("dependencies", []), *project.get("optional-dependencies", {}).values())
    wanted.add("uv_build>=0.9,<1")
    inputs = "\n".join(sorted(line for line in wanted if not OWN.match(line))) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "workspace.in"
        source.write_text(inputs)
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate"]
        command += ["--no-header", "--python-version", "3.11", "--output-file", str(LOCK), str(source)]
        if "--upgrade" in sys.argv[1:]:
            command.append("--upgrade")
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(command, env={**os.environ, "PATH": path}, check=True)
    LOCK.write_text(HEADER + LOCK.read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
