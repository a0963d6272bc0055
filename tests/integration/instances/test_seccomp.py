"""The filter of system calls in a real sandbox: what it refuses, and that ordinary programs do not notice."""

from __future__ import annotations

import errno
import platform
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from cogyard.instances.probe import probe_sandbox
from cogyard.instances.seccomp import ABSENT, DENIED
from cogyard.testing.images import TestImage

from tests.integration.instances.hostile import Live, live_instance
from tests.sandboxes import sandbox_runtime, supported

pytestmark = pytest.mark.anyio

COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
#: Ask for a call by its number, with arguments that would do no harm.
ASK = """
libc = ctypes.CDLL(None, use_errno=True)
def ask(number, *arguments):
    ctypes.set_errno(0)
    words = [ctypes.c_long(each) for each in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    return 0 if libc.syscall(ctypes.c_long(number), *words) >= 0 else ctypes.get_errno()
"""


@pytest.fixture
def hostile(hostile: TestImage) -> TestImage:
    """Give the model, where this machine can filter what it calls."""
    found = supported()
    if not found.filter:
        pytest.skip(found.unfiltered)
    return hostile


@pytest.fixture
async def live(tmp_path: Path, hostile: TestImage, layers: Path) -> AsyncIterator[Live]:
    """Run the hostile model behind the filter."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers)
    async with live_instance(runtime, hostile) as found:
        yield found


@pytest.fixture
async def unfiltered(tmp_path: Path, hostile: TestImage, layers: Path) -> AsyncIterator[Live]:
    """Run it without."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, filtered=False)
    async with live_instance(runtime, hostile) as found:
        yield found


def _numbers(calls: Mapping[str, tuple[int | None, int | None]]) -> dict[str, int]:
    found = {name: columns[COLUMN] for name, columns in calls.items()}
    return {name: number for name, number in found.items() if number is not None}


async def test_every_call_of_the_lists_is_refused(live: Live) -> None:
    """Each one, asked for by its number, fails with the errno of its list."""
    for calls, expected in ((DENIED, errno.EPERM), (ABSENT, errno.ENOSYS)):
        numbers = _numbers(calls)
        code = f"{ASK}\nfound = {{name: ask(number) for name, number in {numbers}.items()}}"
        assert await live.found(code) == dict.fromkeys(numbers, expected)


_NUMBERS = [_numbers({**DENIED, **ABSENT})[name] for name in ("keyctl", "io_uring_setup", "ptrace", "clone3")]
LOOPHOLES = f"""{ASK}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def family(number):
    try:
        socket.socket(number, socket.SOCK_STREAM).close()
    except OSError as error:
        return error.errno
    return 0
def child(do):
    pid = os.fork()
    if pid == 0:
        os._exit(do() & 127)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
keyring, io_uring, ptrace, clone3 = {_NUMBERS}
found = {{
    "mode": int(status["Seccomp"]),
    "keyring": ask(keyring, 0, -3, 1),
    "io_uring": ask(io_uring, 1, 0),
    "traced": child(lambda: ask(ptrace, 0)),
    "clone3": ask(clone3, 0, 0),
    "vsock": family(40),
}}
"""


async def test_what_is_open_without_it_is_shut(live: Live) -> None:
    """Keyrings, rings of calls, tracing and the virtual machine's host are out of reach."""
    found = await live.found(LOOPHOLES)
    assert found == {
        "mode": 2,
        "keyring": errno.EPERM,
        "io_uring": errno.ENOSYS,
        "traced": errno.EPERM,
        "clone3": errno.ENOSYS,
        "vsock": errno.EAFNOSUPPORT,
    }


async def test_it_can_be_turned_off(unfiltered: Live) -> None:
    """Without the filter the kernel alone decides, and tracing one's own child is then allowed."""
    found = await unfiltered.found(LOOPHOLES)
    assert found["mode"] == 0
    assert found["traced"] == 0
    assert found["clone3"] == errno.EINVAL


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the 32-bit entry is x86's")
async def test_the_32_bit_entry_is_no_way_round(live: Live) -> None:
    """A 64-bit program that makes a 32-bit call is killed by SIGSYS; x32's numbers lead nowhere."""
    code = f"""{ASK}
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
pid = os.fork()
if pid == 0:
    os._exit(call() & 1)
found = [os.WTERMSIG(os.waitpid(pid, 0)[1]), ask(0x40000000 | 39)]
"""
    assert await live.found(code) == [31, errno.ENOSYS]


async def test_namespaces_are_shut(live: Live) -> None:
    """clone(), by which threads and processes are made, is refused with any namespace's flag."""
    clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    code = f"""{ASK}
flags = [0x20000, *(0x2000000 << bit for bit in range(6))]
found = [ask({clone}, flag | 17) for flag in flags]
"""
    assert await live.found(code) == [errno.EPERM] * 7


ORDINARY = """
import asyncio, concurrent.futures, mmap, multiprocessing, multiprocessing.shared_memory
import sqlite3, ssl, tempfile
found = {}
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    found["threads"] = sum(pool.map(lambda n: n * n, range(20)))
for way in ("fork", "spawn", "forkserver"):
    with multiprocessing.get_context(way).Pool(2) as pool:
        found[way] = pool.map(abs, [-1, -2, -3])
found["subprocess"] = subprocess.run(["python3", "-c", "print(6 * 7)"], capture_output=True, text=True).stdout.strip()
async def talk():
    child = await asyncio.create_subprocess_exec("python3", "-c", "print(input())", stdin=-1, stdout=-1)
    said, _ = await child.communicate(b"hello")
    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        rest = await reader.read()
        writer.close()
        server.close()
    return said.decode().strip(), rest.decode()
found["asyncio"] = asyncio.run(talk())
memory = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 16)
memory.buf[0] = 7
found["shared"] = memory.buf[0]
memory.close(); memory.unlink()
with tempfile.NamedTemporaryFile() as file:
    file.write(bytes(4096)); file.flush()
    with mmap.mmap(file.fileno(), 4096) as mapped:
        mapped[0] = 9
        found["mmap"] = mapped[0]
with sqlite3.connect("/tmp/own.db") as db:
    found["sqlite"] = db.execute("select 1 + 1").fetchone()[0]
found["affinity"] = len(os.sched_getaffinity(0)) > 0
found["names"] = socket.getaddrinfo("127.0.0.1", 80)[0][4][0]
found["tls"] = ssl.create_default_context().protocol.name
found["process"] = sum(os.times()[:2]) >= 0 and time.process_time() >= 0
"""


async def test_ordinary_programs_do_not_notice(live: Live) -> None:
    """Threads, all three ways of multiprocessing, children, asyncio, shared memory, SQLite, names and TLS work."""
    assert await live.found(ORDINARY) == {
        "threads": 2470,
        "fork": [1, 2, 3],
        "spawn": [1, 2, 3],
        "forkserver": [1, 2, 3],
        "subprocess": "42",
        "asyncio": ["hello", ""],
        "shared": 7,
        "mmap": 9,
        "sqlite": 2,
        "affinity": True,
        "names": "127.0.0.1",
        "tls": "PROTOCOL_TLS_CLIENT",
        "process": True,
    }


def test_the_trial_says_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose numbers are not known sandboxes are made all the same, and the reason is kept."""
    supported()
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    found = probe_sandbox()
    assert found.reason is None
    assert (found.filter, found.unfiltered) == (b"", "there is no filter for machines of the kind riscv64")
