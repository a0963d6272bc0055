"""Kinds of hardware as an operator writes them down, and what instances of models need by them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cogyard.domain.capacity import Resources
from cogyard.domain.values import Hardware

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]i?B)?")
_UNITS = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_KEYS = frozenset({"sku", "name", "cpus", "memory", "disk", "gpus", "gpu_kind"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sku:
    """A kind of machine, and what an instance on it holds."""

    hardware: Hardware
    needs: Resources


def parse_skus(value: Any) -> tuple[Sku, ...]:
    """Read the list, or its JSON; raise ValueError with what is wrong."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError("must be a list of tables, or the same as JSON") from error
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError("must be a list of tables with sku, name, cpus, memory, disk, gpus and gpu_kind")
    found = tuple(_sku(item) for item in value)
    names = [each.hardware.sku for each in found]
    if len(set(names)) < len(names):
        raise ValueError("must have each sku once")
    _check_kinds(found)
    return found


def gpu_kinds(skus: Iterable[Sku]) -> tuple[str, ...]:
    """Return the kinds of GPU that a list tells apart."""
    return tuple(dict.fromkeys(kind for each in skus for kind, _ in each.needs.kinds))


def _check_kinds(skus: Iterable[Sku]) -> None:
    """Raise ValueError unless GPUs are told apart in all tables or in none: one of "any kind" could not be counted."""
    kinds = gpu_kinds(skus)
    if kinds and (without := [each.hardware.sku for each in skus if each.needs.gpus]):
        raise ValueError(f"must have a gpu_kind in {without[0]} too, since other tables have one")
    if len({kind.lower() for kind in kinds}) < len(kinds):
        raise ValueError(f"must have each gpu_kind written one way; there are {', '.join(kinds)}")


def _sku(item: Mapping[str, Any]) -> Sku:
    if unknown := sorted(set(item) - _KEYS):
        raise ValueError(
            f"must not have {', '.join(unknown)} in a table; there are {', '.join(sorted(_KEYS))}"
        )
    sku = str(item.get("sku", ""))
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,49}", sku):
        raise ValueError(
            f"must have a sku of small letters, digits, dots and hyphens in each table ({sku!r:.60} is none)"
        )
    cpus, gpus = item.get("cpus", 1), item.get("gpus", 0)
    if isinstance(cpus, bool) or not isinstance(cpus, int | float) or not 0 < cpus <= 4096:
        raise ValueError(f"must have cpus above 0 in {sku}")
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 0 <= gpus <= 64:
        raise ValueError(f"must have gpus from 0 to 64 in {sku}")
    memory = _bytes(item.get("memory", "2GiB"), "memory", sku)
    disk = _bytes(item["disk"], "disk", sku) if "disk" in item else 0
    kind = item.get("gpu_kind", "")
    if not isinstance(kind, str) or len(kind) > 100 or ("gpu_kind" in item and not (kind.strip() and gpus)):
        raise ValueError(f"must have a gpu_kind such as 'L4' or 'MIG 1g.5gb', beside gpus, in {sku}")
    counted = {"kinds": ((kind.strip(), gpus),)} if kind else {"gpus": gpus}
    needs = Resources(cpus=float(cpus), memory=memory, disk=disk, **counted)
    return Sku(hardware=Hardware(sku=sku, name=str(item.get("name", sku))[:100]), needs=needs)


def _bytes(value: Any, key: str, sku: str) -> int:
    match = _SIZE.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    size = int(float(match[1]) * _UNITS.get(match[2] or "", 1)) if match else 0
    if not 64 << 20 <= size <= 1 << 50:
        raise ValueError(f"must have {key} of at least 64MiB in {sku}, such as 8GiB")
    return size


def too_large(skus: Iterable[Sku], machine: Resources) -> str | None:
    """Say which kind this machine can never give, and why; None when it can give all."""
    for each in skus:
        if lack := each.needs.missing_in(machine):
            return f"{each.hardware.sku} needs {lack}"
    return None


class Wished(Protocol):
    """Says which kind of machine something asks for."""

    async def hardware(self, deployables: Iterable[str]) -> Mapping[str, str]:
        """Return the sku of each that is known."""
        ...


@dataclass(frozen=True, slots=True)
class HardwareNeeds:
    """The controller's Needs, from the operator's list."""

    skus: tuple[Sku, ...]
    wished: Wished

    async def needs(self, deployables: Iterable[str]) -> Mapping[str, Resources]:
        """Return what an instance of each holds; a kind that is not listed is the first."""
        if not self.skus:
            return {}
        table = {each.hardware.sku: each.needs for each in self.skus}
        first = self.skus[0].needs
        names = list(deployables)
        wished = await self.wished.hardware(names)
        return {name: table.get(wished.get(name, ""), first) for name in names}
