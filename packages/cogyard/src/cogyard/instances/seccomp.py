"""Which system calls a sandbox does without: those that administer a machine, those that kernels are broken by.

A deny-list in the spirit of Docker's and Flatpak's. Everything here is refused to a process without power anyway, or
can be done without by an ordinary program; the filter is a second wall where the kernel's own would have a hole.
Sources: syscalls(2), seccomp(2), the kernel's tables of numbers; decision 0052 says why each group is here.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cogyard.instances.bpf import ANY_BIT, AT_LEAST, EQUAL, LOAD, RETURN, Instruction, assemble

#: What a filter answers.
ALLOW, KILL = 0x7FFF0000, 0x80000000
_ERRNO = 0x00050000
#: Offsets in `struct seccomp_data`: the call's number, whose numbers they are, the lower half of the first argument.
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16
#: From here on x86-64 has the numbers of its x32 ABI.
_X32 = 0x40000000
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
#: In clone(2) this bit belongs to the signal at the end.
_NEWTIME = 0x00000080
#: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Not among them: AF_VSOCK, which reaches the host of a virtual machine past
#: every network namespace, and the families that are loaded as modules when somebody asks for them.
_FAMILIES = (1, 2, 10, 16)

#: Refused as for want of permission: x86-64's number, then aarch64's; None where there is no such call.
DENIED: Mapping[str, tuple[int | None, int | None]] = {
    # Mounts and roots.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # Other namespaces.
    "setns": (308, 268),
    # Looking into other processes, or into the kernel.
    "ptrace": (101, 117),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "syslog": (103, 116),
    "lookup_dcookie": (212, 18),
    # Keys are not apart by namespace.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Another kernel, or parts for this one.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    # The whole machine's settings.
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "settimeofday": (164, 170),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    # Processors' leftovers.
    "ioperm": (173, None),
    "iopl": (172, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
}

#: Answered as by a kernel that has no such call: programs try these, and know what to do without.
ABSENT: Mapping[str, tuple[int | None, int | None]] = {
    # Its flags are in memory, where no filter can look; the C library then uses clone().
    "clone3": (435, 435),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    # The two that kernels have been taken over by most often; what a ring does passes by this filter besides.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "nfsservctl": (180, 42),
}

#: Looked at by their first argument.
LOOKED_AT: Mapping[str, tuple[int, int]] = {"clone": (56, 220), "unshare": (272, 97), "socket": (41, 198)}


@dataclass(frozen=True, slots=True)
class _Machine:
    """Whose numbers: AUDIT_ARCH_* of the kernel, and the column above."""

    audit: int
    column: int
    has_x32: bool


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0, has_x32=True),
    "aarch64": _Machine(0xC00000B7, 1, has_x32=False),
}


def sandbox_filter(machine: str) -> bytes | None:
    """Return the program that seccomp(2) loads, for a machine as uname(2) calls it; None for one not known here."""
    known = _MACHINES.get(machine)
    return None if known is None else assemble(list(_program(known)))


def _program(machine: _Machine) -> Iterator[Instruction]:
    yield Instruction(LOAD, _ARCHITECTURE)
    # A 32-bit call has other numbers: none of what follows would mean what it says.
    yield Instruction(EQUAL, machine.audit, otherwise="foreign")
    yield Instruction(LOAD, _NUMBER)
    if machine.has_x32:
        yield Instruction(AT_LEAST, _X32, then="absent")
    for calls, answer in ((DENIED, "denied"), (ABSENT, "absent")):
        for columns in calls.values():
            number = columns[machine.column]
            if number is not None:
                yield Instruction(EQUAL, number, then=answer)
    for name, numbers in LOOKED_AT.items():
        yield Instruction(EQUAL, numbers[machine.column], then=name)
    yield Instruction(RETURN, ALLOW)
    yield Instruction(LOAD, _FIRST, label="clone")
    yield Instruction(ANY_BIT, _NAMESPACES, then="denied", otherwise="allowed")
    yield Instruction(LOAD, _FIRST, label="unshare")
    yield Instruction(ANY_BIT, _NAMESPACES | _NEWTIME, then="denied", otherwise="allowed")
    yield Instruction(LOAD, _FIRST, label="socket")
    for family in _FAMILIES:
        yield Instruction(EQUAL, family, then="allowed")
    yield Instruction(RETURN, refusal(errno.EAFNOSUPPORT))
    yield Instruction(RETURN, ALLOW, label="allowed")
    yield Instruction(RETURN, refusal(errno.EPERM), label="denied")
    yield Instruction(RETURN, refusal(errno.ENOSYS), label="absent")
    yield Instruction(RETURN, KILL, label="foreign")


def refusal(number: int) -> int:
    """Return the answer that makes a call fail with an errno."""
    return _ERRNO | number
