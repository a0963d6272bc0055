"""Kinds of hardware as operators write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from cogyard.compose.skus import HardwareNeeds, parse_skus, too_large
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
