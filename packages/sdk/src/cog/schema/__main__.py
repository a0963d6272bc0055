"""`python -m cog.schema FOLDER [FILE.py:NAME] [--train FILE.py:NAME] [--run OUTPUT]`: print the OpenAPI document.

Reads the source without running it; with `--run` loads the code, as a worker does, and writes the document into a file,
since what the code prints is its own.
"""

from __future__ import annotations

import json
import os
import sys

from cog.errors import CogError
from cog.schema import openapi, read_object, read_source

USAGE = "usage: python -m cog.schema FOLDER [FILE.py:NAME] [--train FILE.py:NAME] [--run OUTPUT]\n"


def document(folder: str, ref: str, train: str | None = None) -> str:
    """Return the document as text: indented, and ending with a line's end. Raises SchemaError."""
    signature = read_source(folder, ref)
    training = read_source(folder, train, train=True) if train else None
    return json.dumps(openapi(signature, training), indent=2, ensure_ascii=False) + "\n"


def loaded(folder: str, ref: str, train: str | None = None) -> str:
    """Return the same document, of the loaded code. Raises SchemaError, LoadError, and what the code raises."""
    from cog.worker.load import load

    project = os.path.realpath(folder)
    sys.path.insert(0, project)
    sys.argv = [os.path.join(project, ref.partition(":")[0])]
    signature = read_object(load(ref, project))
    training = read_object(load(train, project), train=True) if train else None
    return json.dumps(openapi(signature, training), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Print or write the document; return the exit status."""
    said: dict[str, str | None] = {"--train": None, "--run": None}
    for option in said:
        if option in arguments[:-1]:
            at = arguments.index(option)
            said[option] = arguments[at + 1]
            arguments = arguments[:at] + arguments[at + 2 :]
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        sys.stderr.write(USAGE)
        return 2
    ref = arguments[1] if len(arguments) > 1 else "predict.py:Predictor"
    target = said["--run"]
    try:
        if target is None:
            sys.stdout.write(document(arguments[0], ref, said["--train"]))
            return 0
        text = loaded(arguments[0], ref, said["--train"])
    except CogError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with open(target, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
