"""`python -m cog.schema FOLDER [FILE.py:NAME] [--train FILE.py:NAME]`: print a project's OpenAPI document.

Reads the source without running it.
"""

from __future__ import annotations

import json
import sys

from cog.errors import SchemaError
from cog.schema import openapi, read_source

USAGE = "usage: python -m cog.schema FOLDER [FILE.py:NAME] [--train FILE.py:NAME]\n"


def document(folder: str, ref: str, train: str | None = None) -> str:
    """Return the document as text: indented, and ending with a line's end. Raises SchemaError."""
    signature = read_source(folder, ref)
    training = read_source(folder, train, train=True) if train else None
    return json.dumps(openapi(signature, training), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Print the document; return the exit status."""
    train = None
    if "--train" in arguments[:-1]:
        at = arguments.index("--train")
        train = arguments[at + 1]
        arguments = arguments[:at] + arguments[at + 2 :]
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        sys.stderr.write(USAGE)
        return 2
    try:
        text = document(arguments[0], arguments[1] if len(arguments) > 1 else "predict.py:Predictor", train)
    except SchemaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
