"""Become a sandbox: put the root together in a mount namespace of its own, give up all power, run bubblewrap.

Started as `python -I -m cogyard.instances.enclose FD`, with a JSON document (`Enclosure`) to be read from the
descriptor. It runs on our own Python, outside, before anything of a stranger's does.

Theory of operation: everything is mounted in a namespace that ends with the process, on a tmpfs, so that nothing can be
left behind, whatever is killed. Root mounts as root and then becomes a user that owns nothing else; everybody else
becomes root of a user namespace, which is allowed as much. bubblewrap then makes the namespaces in which the model
runs: its own user, processes, network, names.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = (
    1,
    2,
    4,
    32,
    4096,
    16384,
    1 << 18,
)
_MS_NOEXEC, _MS_NOATIME = 8, 1024
#: Any folder that exists everywhere: it is covered, in here only.
_PLACE = Path("/tmp")  # noqa: S108 - covered by a file system of our own
ROOT = _PLACE / "root"
#: Device nodes, by their number in the list.
NODES = _PLACE / "nodes"
#: What is /dev/shm inside.
SHARED = _PLACE / "shared"
_MADE_INSIDE = ("proc", "dev", "tmp", "run")
#: The kernel reads a mount's options from one page.
_PAGE = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Enclosure:
    """All that the process needs to know."""

    #: The process that must outlive this one.
    parent: int
    #: Unpacked layers, lowest first; or one whole root when there is no overlayfs.
    layers: tuple[str, ...]
    overlay: bool
    #: Bytes that a model may write, everywhere together.
    scratch: int
    #: (outside, inside): files and folders shown read-only.
    shown: tuple[tuple[str, str], ...] = ()
    #: Device nodes outside, which a model may open: in their order, where bubblewrap takes them from (`NODES`).
    nodes: tuple[str, ...] = ()
    #: (where it leads, inside): links; with overlayfs only.
    links: tuple[tuple[str, str], ...] = ()
    #: Folders inside that are writable although the root is not; without overlayfs only.
    writable: tuple[str, ...] = ()
    #: Whom root becomes; None when we are not root.
    user: int | None = None
    #: Groups outside that root stays in, for the sake of devices.
    members: tuple[int, ...] = ()
    #: Files that this process writes its number to: control groups.
    groups: tuple[str, ...] = ()
    #: What `seccomp.sandbox_filter` made, as hexadecimal; empty for no filter.
    filter: str = ""
    #: bubblewrap, its arguments (the model's environment among them), and what it runs.
    program: str
    arguments: tuple[str, ...]
    command: tuple[str, ...]

    def dump(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()


class EnclosingError(Exception):
    """A step failed."""


def main() -> None:
    """Become the sandbox described by the JSON in descriptor argv[1]; on failure say why on stderr and exit 70."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        enclosure = Enclosure(**json.load(file))
    try:
        enclose(enclosure)
    except (EnclosingError, OSError) as error:
        sys.stderr.write(f"cogyard: the sandbox could not be made: {error}\n")
        sys.exit(70)


def enclose(enclosure: Enclosure) -> None:
    """Do it; returns only by an exception."""
    libc = ctypes.CDLL(None, use_errno=True)
    for group in enclosure.groups:
        Path(group).write_text(str(os.getpid()))
    Path("/proc/self/oom_score_adj").write_text("900")  # When memory ends, a model goes before the platform.
    uid, gid = os.getuid(), os.getgid()
    if enclosure.user is None:
        _unshare(libc, _CLONE_NEWUSER | _CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    else:
        _unshare(libc, _CLONE_NEWNS)
    _mount(libc, "none", Path("/"), None, _MS_REC | _MS_PRIVATE)
    _put_together(libc, enclosure)
    if enclosure.user is not None:
        os.setgroups(enclosure.members)
        os.setresgid(enclosure.user, enclosure.user, enclosure.user)
        os.setresuid(enclosure.user, enclosure.user, enclosure.user)
        libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    # Not before: a change of the user takes the tie away.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != enclosure.parent:
        sys.exit(0)
    # By a descriptor: other users of the machine can read a process's arguments, and secrets may be among them.
    said = b"\0".join(word.encode("utf-8", "surrogateescape") for word in enclosure.arguments)
    words = [enclosure.program, "--args", str(_handed("arguments", said))]
    if enclosure.filter:
        words += ["--seccomp", str(_handed("filter", bytes.fromhex(enclosure.filter)))]
    words += ["--", *enclosure.command]
    os.chdir("/")
    os.execve(enclosure.program, words, dict(os.environ))  # noqa: S606 - there is no shell to want


def _handed(name: str, content: bytes) -> int:
    """Return a descriptor, kept over an exec, from which the content can be read."""
    handle = os.memfd_create(name, 0)
    os.write(handle, content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def _put_together(libc: Any, enclosure: Enclosure) -> None:
    owner = enclosure.user
    # Reading the layers' paths comes after covering _PLACE, so they are held open before, if they are below it.
    held = [os.open(layer, os.O_PATH | os.O_DIRECTORY) for layer in enclosure.layers]
    shown = [(os.open(source, os.O_PATH), target) for source, target in enclosure.shown]
    nodes = [os.open(source, os.O_PATH) for source in enclosure.nodes]
    _mount(libc, "tmpfs", _PLACE, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={enclosure.scratch},mode=755")
    ROOT.mkdir()
    _open_to_all(SHARED, owner)
    if enclosure.overlay:
        upper, work = _PLACE / "upper", _PLACE / "work"
        upper.mkdir()
        work.mkdir()
        _own(upper, owner)
        (upper / "tmp").mkdir()  # Of its own, and for everybody, whatever the image has there.
        (upper / "tmp").chmod(0o1777)
        lower = ":".join(f"/proc/self/fd/{each}" for each in reversed(held))
        options = f"lowerdir={lower},upperdir={upper},workdir={work},userxattr"
        if len(options) >= _PAGE:
            raise EnclosingError(f"the image has {len(held)} layers, more than can be put together here")
        _mount(libc, "overlay", ROOT, "overlay", _MS_NOSUID | _MS_NODEV | _MS_NOATIME, options)
    else:
        _bind(libc, f"/proc/self/fd/{held[0]}", ROOT, _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
        for number, folder in enumerate(enclosure.writable):
            _fresh(libc, ROOT / folder.lstrip("/"), owner, _PLACE / f"fresh-{number}")
    for name in _MADE_INSIDE:
        # bubblewrap mounts there; a link of the image's must not lead it elsewhere.
        clear(ROOT / name, keep=stat.S_IFDIR)
        if not (ROOT / name).exists():
            (ROOT / name).mkdir()
            _own(ROOT / name, owner)
    _show(libc, shown, owner)
    _hand_on(libc, nodes)
    for target, place in enclosure.links:
        _link(target, place, owner)
    for each in (*held, *nodes, *(one for one, _ in shown)):
        os.close(each)


def _show(libc: Any, shown: list[tuple[int, str]], owner: int | None) -> None:
    """Bind files and folders into the root, at places that the image cannot redirect: links on the way are removed."""
    for descriptor, target in shown:
        place = _way_to(target, owner)
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        clear(place, keep=stat.S_IFDIR if folder else stat.S_IFREG)
        if not place.exists():
            place.mkdir() if folder else place.touch()
        _bind(libc, f"/proc/self/fd/{descriptor}", place, _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _way_to(target: str, owner: int | None) -> Path:
    """Return where a path inside is for now, with real folders on the way to it."""
    place = ROOT
    *folders, name = Path(target).relative_to("/").parts
    for part in folders:
        place /= part
        if place.is_symlink() and (led := merged(place)) is not None:
            place = led
        clear(place, keep=stat.S_IFDIR)
        if not place.exists():
            place.mkdir()
            _own(place, owner)
    return place / name


def merged(place: Path) -> Path | None:
    """Return the folder that a link at the top leads to when that is below usr, as lib does; None for other links.

    Distributions have these links, and every program of theirs is found by them: they stay.
    """
    top, _, name = str(place.readlink()).strip("/").partition("/")
    if place.parent != ROOT or top != "usr" or name in {"", ".", ".."} or "/" in name:
        return None
    real = ROOT / "usr" / name
    folders = [stat.S_ISDIR(each.lstat().st_mode) for each in (ROOT / "usr", real) if each.exists()]
    return real if folders == [True, True] else None


def _hand_on(libc: Any, nodes: list[int]) -> None:
    """Bind device nodes to where bubblewrap takes them from; of all that is mounted here only these may be opened."""
    if nodes:
        NODES.mkdir()
    for number, descriptor in enumerate(nodes):
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            raise EnclosingError("what should be a device is none")
        place = NODES / str(number)
        place.touch()
        _bind(libc, f"/proc/self/fd/{descriptor}", place, _MS_NOSUID | _MS_NOEXEC)


def _link(target: str, place: str, owner: int | None) -> None:
    """Make a link inside, in the place of whatever file or link the image has there."""
    where = _way_to(place, owner)
    clear(where, keep=0)
    where.symlink_to(target)


def clear(place: Path, *, keep: int) -> None:
    """Remove what is at a place unless it is of the kind that is wanted there; a link never is."""
    try:
        kind = stat.S_IFMT(place.lstat().st_mode)
    except FileNotFoundError:
        return
    if kind != keep:
        if kind == stat.S_IFDIR:
            raise EnclosingError(f"the image has a folder at {place.relative_to(ROOT)}")
        place.unlink()


def _fresh(libc: Any, place: Path, owner: int | None, folder: Path) -> None:
    """Make a folder at a place writable: it is a part of the one file system whose size is limited."""
    if place.is_symlink() or not place.is_dir():
        return
    _open_to_all(folder, owner)
    _bind(libc, str(folder), place, _MS_NOSUID | _MS_NODEV)


def _open_to_all(folder: Path, owner: int | None) -> None:
    folder.mkdir()
    folder.chmod(0o1777)
    _own(folder, owner)


def _bind(libc: Any, source: str, target: Path, flags: int) -> None:
    _mount(libc, source, target, None, _MS_BIND)
    _mount(libc, "none", target, None, _MS_BIND | _MS_REMOUNT | flags | _locked(target))


def _locked(target: Path) -> int:
    """Return the flags that a mount has and that a user namespace may not take away."""
    has = os.statvfs(target).f_flag
    return has & (_MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_NOATIME | 2048) | (
        1 << 21 if has & 4096 else 0
    )


def _own(place: Path, owner: int | None) -> None:
    if owner is not None:
        os.chown(place, owner, owner)


def _unshare(libc: Any, flags: int) -> None:
    if libc.unshare(flags) != 0:
        raise EnclosingError(f"namespaces are not allowed here: {os.strerror(ctypes.get_errno())}")


def _mount(  # noqa: PLR0917 - as mount(2) has them
    libc: Any, source: str, target: Path, kind: str | None, flags: int, options: str | None = None
) -> None:
    encoded = [text.encode() if text is not None else None for text in (source, str(target), kind, options)]
    if libc.mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]) != 0:
        why = os.strerror(ctypes.get_errno())
        raise EnclosingError(f"{kind or 'a folder'} could not be mounted at {target}: {why}")


if __name__ == "__main__":
    main()
