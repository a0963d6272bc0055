"""The filter of system calls, run by a machine of the test's own: what it answers, on either kind of processor."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping

import pytest
from cogyard.instances.bpf import (
    ANY_BIT,
    AT_LEAST,
    EQUAL,
    LOAD,
    RETURN,
    AssemblyError,
    Instruction,
    assemble,
)
from cogyard.instances.seccomp import ABSENT, ALLOW, DENIED, KILL, LOOKED_AT, refusal, sandbox_filter

#: AUDIT_ARCH_*, as <linux/audit.h> has them.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028}
MACHINES = ["x86_64", "aarch64"]
COLUMN = {"x86_64": 0, "aarch64": 1}
#: Calls that every program lives by, and their numbers.
ORDINARY = {
    "x86_64": {"read": 0, "mmap": 9, "ioctl": 16, "execve": 59, "futex": 202, "openat": 257, "memfd_create": 319},
    "aarch64": {"read": 63, "mmap": 222, "ioctl": 29, "execve": 221, "futex": 98, "openat": 56, "memfd_create": 279},
}  # fmt: skip
THREAD = 0x3D0F00  # what pthread_create asks of clone(2)
NAMESPACES = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
DENIES, LACKS, NO_FAMILY = refusal(errno.EPERM), refusal(errno.ENOSYS), refusal(errno.EAFNOSUPPORT)

machines = pytest.mark.parametrize("machine", MACHINES)


def run(program: bytes, data: bytes) -> int:
    """Be the machine: run a program over a `struct seccomp_data`, an instruction at a time."""
    steps = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    place, word = 0, 0
    while True:
        code, then, otherwise, constant = steps[place]
        place += 1
        match code:
            case 0x20:
                (word,) = struct.unpack_from("=I", data, constant)
            case 0x06:
                return int(constant)
            case 0x15:
                place += then if word == constant else otherwise
            case 0x35:
                place += then if word >= constant else otherwise
            case 0x45:
                place += then if word & constant else otherwise
            case _:
                raise AssertionError(f"no such instruction: {code:#x}")


def answer(machine: str, number: int, first: int = 0, *, architecture: str | None = None) -> int:
    """Return what the filter of a machine answers to a call."""
    program = sandbox_filter(machine)
    assert program is not None
    data = struct.pack("=IIQ6Q", number, ARCHITECTURES[architecture or machine], 0, first, 0, 0, 0, 0, 0)
    return run(program, data)


@machines
def test_what_no_model_needs_is_denied(machine: str) -> None:
    """Each call of the list fails as for want of permission."""
    numbers = {name: columns[COLUMN[machine]] for name, columns in DENIED.items()}
    assert {n: answer(machine, k) for n, k in numbers.items() if k is not None} == {
        name: DENIES for name, number in numbers.items() if number is not None
    }


@machines
def test_what_programs_do_without_is_absent(machine: str) -> None:
    """Each call of the list fails as on a kernel without it, so that programs take their other way."""
    for columns in ABSENT.values():
        number = columns[COLUMN[machine]]
        assert number is not None
        assert answer(machine, number) == LACKS


@machines
def test_everything_else_is_allowed(machine: str) -> None:
    """Ordinary calls pass, and so does every number that no list has."""
    listed = {columns[COLUMN[machine]] for columns in [*DENIED.values(), *ABSENT.values()]}
    looked_at = {columns[COLUMN[machine]] for columns in LOOKED_AT.values()}
    assert not listed & {*ORDINARY[machine].values()}
    for number in set(range(600)) - listed - looked_at:
        assert answer(machine, number) == ALLOW


@machines
@pytest.mark.parametrize("name", list(NAMESPACES))
def test_namespaces_are_denied(machine: str, name: str) -> None:
    """Neither clone nor unshare gives a new one, whatever else is asked for with it."""
    for call in ("clone", "unshare"):
        number = LOOKED_AT[call][COLUMN[machine]]
        assert answer(machine, number, NAMESPACES[name]) == DENIES
        assert answer(machine, number, NAMESPACES[name] | 0x100 | 17) == DENIES
        assert answer(machine, number, NAMESPACES[name] | 1 << 40) == DENIES, "the upper half hides nothing"


@machines
def test_threads_and_processes_are_allowed(machine: str) -> None:
    """Clone without a namespace passes: for a thread, for a process, with any signal at its end."""
    clone, unshare, _ = (LOOKED_AT[name][COLUMN[machine]] for name in ("clone", "unshare", "socket"))
    for flags in (THREAD, 17, 0, 0x01200011, 0x4111):
        assert answer(machine, clone, flags) == ALLOW
    assert answer(machine, clone, 0x80 | 17) == ALLOW, "there this bit is a part of the signal's number"
    assert answer(machine, unshare, 0x80) == DENIES, "here it is a namespace of time"
    assert answer(machine, unshare, 0x400) == ALLOW, "a table of files of one's own is no namespace"


@machines
def test_sockets_are_of_the_ordinary_families(machine: str) -> None:
    """Unix, IPv4, IPv6 and netlink pass; the rest, vsock and AF_ALG among them, are families that are not there."""
    socket = LOOKED_AT["socket"][COLUMN[machine]]
    assert {family for family in range(64) if answer(machine, socket, family) == ALLOW} == {1, 2, 10, 16}
    assert answer(machine, socket, 40) == NO_FAMILY
    assert answer(machine, socket, 1 << 32 | 40) == NO_FAMILY, "the kernel looks at the lower half only"


def test_other_architectures_end_the_process() -> None:
    """A 32-bit call has other numbers: what makes one is killed, for every number."""
    for number in (*range(500), 1 << 30):
        assert answer("x86_64", number, architecture="i386") == KILL
        assert answer("aarch64", number, architecture="arm") == KILL
    assert answer("x86_64", 63, architecture="aarch64") == KILL


def test_x32_is_absent() -> None:
    """x86-64's third set of numbers, which differ by one bit from those on the lists, is not there at all."""
    for number in (39, 165, 321, 520, 547):
        assert answer("x86_64", 0x40000000 | number) == LACKS
    assert answer("x86_64", 0xFFFFFFFF) == LACKS
    assert answer("aarch64", 0x40000000) == ALLOW, "it has no such set; the kernel itself refuses"


def test_a_machine_not_known_has_no_filter() -> None:
    """Where the numbers are not known, no filter is made up."""
    assert sandbox_filter("riscv64") is None


@machines
def test_the_numbers_are_the_kernels(machine: str) -> None:
    """libseccomp, where it is installed, has the same number for every name that it knows."""
    try:
        resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name_arch
    except OSError:
        pytest.skip("libseccomp is not installed")
    lists: list[Mapping[str, tuple[int | None, ...]]] = [DENIED, ABSENT, LOOKED_AT]
    for name, columns in ((name, columns) for each in lists for name, columns in each.items()):
        known = resolve(ctypes.c_uint32(ARCHITECTURES[machine]), name.encode())
        ours = columns[COLUMN[machine]]
        if known != -1:
            # Below -1: a name that exists, of a call that this machine has not.
            assert ours == (known if known >= 0 else None), name


def test_instructions_are_the_kernels() -> None:
    """Each is `struct sock_filter`: code, two jumps, constant, in the machine's own order of bytes."""
    program = [
        Instruction(LOAD, 4),
        Instruction(EQUAL, 7, then="yes", otherwise="no"),
        Instruction(AT_LEAST, 8, then="no"),
        Instruction(ANY_BIT, 0x80000000, otherwise="yes"),
        Instruction(RETURN, 1, label="no"),
        Instruction(RETURN, 2, label="yes"),
    ]
    wanted = [
        (0x20, 0, 0, 4),
        (0x15, 3, 2, 7),
        (0x35, 1, 0, 8),
        (0x45, 0, 1, 0x80000000),
        (6, 0, 0, 1),
        (6, 0, 0, 2),
    ]
    assert assemble(program) == b"".join(struct.pack("=HBBI", *each) for each in wanted)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ([], "1 to 4096"),
        ([Instruction(RETURN, 0)] * 4097, "not 4097"),
        ([Instruction(EQUAL, 1, then="nowhere"), Instruction(RETURN, 0)], "nothing is called nowhere"),
        ([Instruction(RETURN, 0, label="up"), Instruction(EQUAL, 1, then="up")], "-2 instructions away"),
        (
            [Instruction(EQUAL, 1, then="far"), *[Instruction(LOAD, 0)] * 256, Instruction(RETURN, 0, label="far")],
            "256 instructions away",
        ),
    ],
)  # fmt: skip
def test_what_cannot_run_is_not_assembled(program: list[Instruction], said: str) -> None:
    """An empty or endless program, a jump to nowhere, back or too far is refused by name."""
    with pytest.raises(AssemblyError, match=said):
        assemble(program)
