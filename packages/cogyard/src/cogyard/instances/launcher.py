"""The first thing that runs in a model server's process: tie its life to ours, then become `cog_server`.

Started as `python -I -m cogyard.instances.launcher PARENT GROUPS ARGUMENTS…`, where GROUPS are the files by which it
enters its control groups, with colons; empty where there are none. Two ties, since each has a gap: stdin is a
pipe that closes when the platform is gone (`--exit-on-stdin-close`), and on Linux the kernel kills this process
when its parent dies, even when it is too busy to read.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run the model server until it ends; argument 1 is the process that must outlive us, 2 what holds us."""
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # The platform died before the tie was made.
        sys.exit(0)
    for procs in filter(None, sys.argv[2].split(os.pathsep)):
        with open(procs, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is not needed here otherwise
            file.write(str(os.getpid()))
    sys.argv = ["cog_server", *sys.argv[3:]]
    runpy.run_module("cog_server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
