"""Assemble classic BPF, the little machine that the kernel asks about each system call (seccomp(2), filter mode).

Pure: instructions with names for where they jump to become the bytes that the kernel loads. An instruction is
`struct sock_filter`: 16 bits of code, two jumps of 8 bits, a constant of 32 bits, in the machine's order of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

#: Load a word of `struct seccomp_data` at a fixed offset; jump when equal, not less, any bit set; return a constant.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_INSTRUCTION = struct.Struct("=HBBI")
#: What a jump's eight bits hold.
_FARTHEST = 255
#: BPF_MAXINSNS.
_MOST = 4096


class AssemblyError(ValueError):
    """A program that the machine could not run."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step. `then` and `otherwise` name labels farther on; an empty name is the next instruction."""

    code: int
    constant: int
    then: str = ""
    otherwise: str = ""
    label: str = ""


def assemble(program: Sequence[Instruction]) -> bytes:
    """Return a program as the kernel takes it. Raises AssemblyError for a jump that there can't be."""
    if not program or len(program) > _MOST:
        raise AssemblyError(f"a program has 1 to {_MOST} instructions, not {len(program)}")
    places = {each.label: number for number, each in enumerate(program) if each.label}
    parts = []
    for number, each in enumerate(program):
        jumps = [_jump(places, number, name) for name in (each.then, each.otherwise)]
        parts.append(_INSTRUCTION.pack(each.code, *jumps, each.constant & 0xFFFFFFFF))
    return b"".join(parts)


def _jump(places: dict[str, int], number: int, label: str) -> int:
    if not label:
        return 0
    if label not in places:
        raise AssemblyError(f"nothing is called {label}")
    distance = places[label] - number - 1
    if not 0 <= distance <= _FARTHEST:
        raise AssemblyError(f"{label} is {distance} instructions away; a jump goes 0 to {_FARTHEST} forward")
    return distance
