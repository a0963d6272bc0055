"""Compile wheels' modules. A program of its own: a Python of the image's version runs it, and nothing else is there.

Each line of stdin is a job, a JSON object: `wheel`, a path; `members`, pairs of a name in the wheel and the absolute
path that the module has in the image; `mtime`, the time that the module has there; `out`, the file to write. For each
module that compiles, `out` gets two lengths (unsigned, 4 bytes, big end first), the path, and what its .pyc file holds.
When a job has ended, its exit status is a line of stdout.

Each job is done by a fork of this process, which itself only reads lines: so every job begins in the same state, and
writes the same bytes whatever was compiled before. Starting Python for each would take longer than most jobs.
"""

import importlib.util
import json
import marshal
import os
import struct
import sys
import warnings
import zipfile


def main() -> None:
    """Do jobs until there are no more lines."""
    while line := sys.stdin.buffer.readline():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(line)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        os.write(1, b"%d\n" % status)


def work(line: bytes) -> None:
    """Compile every member, in the order given: what was compiled before decides some bits of what follows."""
    job = json.loads(line)
    warnings.simplefilter("ignore")
    with zipfile.ZipFile(job["wheel"]) as archive, open(job["out"], "wb") as out:  # noqa: PTH123 - as said above
        for member, path in job["members"]:
            source = archive.read(member)
            try:
                code = compile(source, path, "exec", dont_inherit=True, optimize=0)
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
                continue  # a template, a test of syntax errors, or Python 2: an installer leaves these out as well
            # PEP 552: the module's time and size tell whether it was changed since.
            header = struct.pack("<III", 0, job["mtime"] & 0xFFFFFFFF, len(source) & 0xFFFFFFFF)
            data = importlib.util.MAGIC_NUMBER + header + marshal.dumps(code)
            name = path.encode("utf-8", "surrogateescape")
            out.write(struct.pack(">II", len(name), len(data)) + name + data)


if __name__ == "__main__":
    main()
