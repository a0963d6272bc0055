"""The model's OpenAPI document from its own code, loaded in its environment: where its source does not tell."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cogyard.environment.errors import NotDescribedError
from cogyard.environment.local import LocalEnvironment
from cogyard.project import Project

#: Not `-m cog.schema`: with it, a json.py of the project would be taken for Python's own.
_PROGRAM = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
from cog.schema.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def describe(project: Project, environment: LocalEnvironment, outer: Mapping[str, str]) -> Mapping[str, Any]:
    """Load the predictor, and the training, in the project's folder, and return the document.

    `outer` are the variables of this process. Raises NotDescribedError with what the code ended with.
    """
    ref, train = project.ref or project.train_ref or "", project.train_ref if project.ref else None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "schema.json"
        done = subprocess.run(
            [
                *(str(environment.python), "-c", _PROGRAM, str(project.root), ref, "--run", str(target)),
                *(("--train", train) if train else ()),
            ],
            cwd=project.root,
            env={**outer, **environment.variables(outer), **project.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode == 0 and target.is_file():
            found: Mapping[str, Any] = json.loads(target.read_text("utf-8"))
            return found
    said = done.stdout.decode(errors="replace").strip().splitlines()
    raise NotDescribedError(
        f"{ref} could not be loaded to ask it for its inputs",
        details="    " + (said[-1] if said else f"it ended with {done.returncode} and said nothing"),
        hint="Write the value as a literal, or give the document with --openapi-schema.",
    )
