"""Whether this machine lets us make sandboxes, found out by making one."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cogyard.instances.enclose import Enclosure
from cogyard.instances.orphans import MARK
from cogyard.instances.sandbox import bubblewrap
from cogyard.instances.seccomp import sandbox_filter

#: Whom root becomes in a sandbox: of the numbers that nobody hands out (systemd's list), below 65,536, so that it
#: exists inside of a container too.
SANDBOX_USER = 60_900
_SECONDS = 10
#: Where a kernel that can filter system calls says what a filter may answer.
_ANSWERS = Path("/proc/sys/kernel/seccomp/actions_avail")


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSupport:
    """What a trial showed. `reason` is None when sandboxes can be made."""

    bubblewrap: str = ""
    user: int | None = None
    overlay: bool = False
    reason: str | None = None
    #: Decides over system calls inside; empty where there can be none, and why.
    filter: bytes = b""
    unfiltered: str = ""


def probe_sandbox(program: str | None = None) -> SandboxSupport:
    """Make a sandbox that ends at once; blocks for a tenth of a second."""
    if sys.platform != "linux":
        return SandboxSupport(reason="sandboxes need Linux")
    found = program or shutil.which("bwrap")
    if found is None:
        return SandboxSupport(reason="bubblewrap is not installed (the package `bubblewrap`)")
    user = SANDBOX_USER if os.geteuid() == 0 else None
    made, unfiltered = _filter(platform.machine())
    reason = None
    for overlay in (True, False):
        reason = _try(found, user, made, overlay=overlay)
        if reason is None:
            return SandboxSupport(
                bubblewrap=found, user=user, overlay=overlay, filter=made, unfiltered=unfiltered
            )
    return SandboxSupport(reason=reason)


def _filter(machine: str) -> tuple[bytes, str]:
    """Return the filter of system calls for this machine, or nothing and why."""
    try:
        answers = _ANSWERS.read_text().split()
    except OSError:
        answers = []
    if not {"errno", "kill_process"} <= set(answers):
        return b"", "this kernel cannot filter system calls (CONFIG_SECCOMP_FILTER)"
    made = sandbox_filter(machine)
    return (made, "") if made else (b"", f"there is no filter for machines of the kind {machine}")


def _try(program: str, user: int | None, made: bytes, *, overlay: bool) -> str | None:
    """Return why it does not work, or None."""
    arguments = list(bubblewrap({}, folder="/", networked=False))
    arguments += ["--ro-bind", "/usr", "/usr"]
    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        layer = Path(folder) / "layer"
        for name in ("proc", "dev", "tmp", "run", "usr"):
            (layer / name).mkdir(parents=True)
        for place in (Path("/lib"), Path("/lib64")):
            if place.is_symlink():
                (layer / place.name).symlink_to(place.readlink())
            elif place.is_dir():
                (layer / place.name).mkdir()
                arguments += ["--ro-bind", str(place), str(place)]
        enclosure = Enclosure(
            parent=os.getpid(),
            layers=(str(layer),),
            overlay=overlay,
            scratch=1 << 20,
            user=user,
            filter=made.hex(),
            program=program,
            arguments=tuple(arguments),
            command=("/usr/bin/true",),
        )
        with os.fdopen(os.memfd_create("enclosure"), "w+b") as document:
            document.write(enclosure.dump())
            document.flush()
            document.seek(0)
            words = [sys.executable, "-I", "-m", "cogyard.instances.enclose", str(document.fileno())]
            try:
                done = subprocess.run(
                    words,
                    pass_fds=(document.fileno(),),
                    env={MARK: "trial", "PATH": os.defpath},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"a trial did not end ({type(error).__name__})"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"a trial ended with exit status {done.returncode}"
