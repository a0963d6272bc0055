"""The real command in an example's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
COG = Path(sys.executable).parent / "cog"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Example:
    """One example's folder, whose weights are there; outputs go to `outputs`."""

    folder: Path
    outputs: Path

    def run(self, *command: str, **env: str) -> Done:
        """Run a command in the folder, to its end."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "UV_PYTHON_DOWNLOADS": "never", **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def cog(self, *arguments: str, **env: str) -> Done:
        """Run `cog`."""
        return self.run(str(COG), *arguments, **env)

    def answer(self, *arguments: str) -> Any:
        """Return what `cog predict` prints, read as JSON; files go to `outputs`."""
        done = self.cog("predict", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def written(self, *arguments: str) -> Any:
        """Return the JSON that `cog predict -o FOLDER` writes beside its files; names in it are names in `outputs`."""
        done = self.cog("predict", *arguments, "-o", str(self.outputs))
        assert done.returncode == 0, done.stderr
        texts = [path for path in self.outputs.iterdir() if path.suffix in {".json", ".txt"}]
        assert len(texts) == 1, list(self.outputs.iterdir())
        return json.loads(texts[0].read_text("utf-8"))
