"""Kinds of hardware as operators write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from cogyard.compose.skus import HardwareNeeds, gpu_kinds, parse_skus, too_large
from cogyard.domain.capacity import Resources

LISTED = [
    {"sku": "cpu-small", "name": "Small", "cpus": 0.5, "memory": "512MiB"},
    {"sku": "gpu-t4", "cpus": 4, "memory": "16GB", "gpus": 1},
]


def test_a_list_is_read() -> None:
    """Numbers, sizes with units, names, and what is left out."""
    small, gpu = parse_skus(LISTED)
    assert (small.hardware.sku, small.hardware.name) == ("cpu-small", "Small")
    assert small.needs == Resources(cpus=0.5, memory=512 << 20)
    assert (gpu.hardware.name, gpu.needs) == ("gpu-t4", Resources(cpus=4, memory=16 * 10**9, gpus=1))
    assert parse_skus('[{"sku": "cpu", "memory": 2147483648}]')[0].needs == Resources(cpus=1, memory=2 << 30)
    assert parse_skus([{"sku": "cpu", "disk": "20GiB"}])[0].needs.disk == 20 << 30


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "a list of tables"),
        ("cpu", "a list of tables"),
        ([1], "a list of tables"),
        ([{}], "must have a sku"),
        ([{"sku": "A b"}], "must have a sku"),
        ([{"sku": "a", "gpu": 1}], "must not have gpu"),
        ([{"sku": "a", "cpus": 0}], "cpus above 0"),
        ([{"sku": "a", "disk": "1MiB"}], "disk of at least 64MiB"),
        ([{"sku": "a", "cpus": True}], "cpus above 0"),
        ([{"sku": "a", "gpus": 1.5}], "gpus from 0"),
        ([{"sku": "a", "memory": "lots"}], "memory of at least"),
        ([{"sku": "a", "memory": "1KiB"}], "memory of at least"),
        ([{"sku": "a"}, {"sku": "a"}], "each sku once"),
        ([{"sku": "a", "gpu_kind": "L4"}], "a gpu_kind such as"),
        ([{"sku": "a", "gpus": 1, "gpu_kind": " "}], "a gpu_kind such as"),
        ([{"sku": "a", "gpus": 1, "gpu_kind": 4}], "a gpu_kind such as"),
        ([{"sku": "a", "gpus": 1, "gpu_kind": "L4"}, {"sku": "b", "gpus": 1}], "a gpu_kind in b too"),
        (
            [{"sku": "a", "gpus": 1, "gpu_kind": "L4"}, {"sku": "b", "gpus": 1, "gpu_kind": "l4"}],
            "each gpu_kind written one way",
        ),
    ],
)
def test_what_is_wrong_is_said(value: Any, said: str) -> None:
    """A mistake names itself, so that the operator can mend it."""
    with pytest.raises(ValueError, match=said):
        parse_skus(value)


def test_a_kind_that_the_machine_cannot_give_is_found() -> None:
    """An instance of it could never start."""
    skus = parse_skus(LISTED)
    assert too_large(skus, Resources(cpus=8, memory=32 << 30, gpus=1)) is None
    assert too_large(skus, Resources(cpus=8, memory=32 << 30)) == "gpu-t4 needs 1 GPUs of 0"


def test_kinds_of_gpus_are_told_apart() -> None:
    """Each kind is counted by itself; one that this machine lacks is named, with what it has of it."""
    skus = parse_skus(
        [
            {"sku": "cpu"},
            {"sku": "l4", "gpus": 1, "gpu_kind": "L4"},
            {"sku": "mig", "gpus": 2, "gpu_kind": "MIG 1g"},
        ]
    )
    assert gpu_kinds(skus) == ("L4", "MIG 1g")
    assert skus[2].needs.kinds == (("MIG 1g", 2),)
    machine = Resources(cpus=8, memory=32 << 30, kinds=(("L4", 1), ("MIG 1g", 1)))
    assert too_large(skus, machine) == "mig needs 2 GPUs of kind 'MIG 1g' of 1"


class _Wished:
    async def hardware(self, deployables: Iterable[str]) -> Mapping[str, str]:
        return {name: "gpu-t4" if name == "big" else "gone" for name in deployables if name != "unknown"}


@pytest.mark.anyio
async def test_needs_are_those_of_the_kind_or_the_first() -> None:
    """A kind that is listed no more, or not known, is the first of the list."""
    small, gpu = parse_skus(LISTED)
    found = await HardwareNeeds((small, gpu), _Wished()).needs(["big", "old", "unknown"])
    assert found == {"big": gpu.needs, "old": small.needs, "unknown": small.needs}
    assert await HardwareNeeds((), _Wished()).needs(["big"]) == {}
