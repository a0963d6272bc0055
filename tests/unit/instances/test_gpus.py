"""Finding GPUs: by specs first, else by the driver's nodes and libraries; and which of them an instance gets."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from cogyard.domain.capacity import Grant, Resources, free_devices
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.gpus import driver_libraries, find_gpus
from hypothesis import given
from hypothesis import strategies as st

#: As `ldconfig -p` says it, cut short.
LISTING = """1031 libs found in cache `/etc/ld.so.cache'
\tlibz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1
\tlibnvidia-ml.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1
\tlibnvidia-ml.so.1 (libc6) => /usr/lib/i386-linux-gnu/libnvidia-ml.so.1
\tlibcuda.so.1 (libc6) => /usr/lib/i386-linux-gnu/libcuda.so.1
\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1
\tlibcuda.so (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so
\tlibcudart.so.12 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.12
\tlibcuda.so.1 (libc6,AArch64) => /usr/lib/aarch64-linux-gnu/libcuda.so.1
"""


def _listing(folder: Path) -> str:
    kind = {"x86_64": "x86-64", "aarch64": "AArch64"}[platform.machine()]
    return "".join(
        f"\t{name} (libc6,{kind}) => {folder / name}\n" for name in ("libcuda.so.1", "libnvidia-ml.so.1")
    )


def test_the_drivers_libraries_are_told_apart() -> None:
    """Of all that ldconfig lists: the driver's, of this machine's kind; CUDA's own are the image's to bring."""
    assert driver_libraries(LISTING, "x86_64") == {
        "libnvidia-ml.so.1": "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
        "libcuda.so.1": "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
        "libcuda.so": "/usr/lib/x86_64-linux-gnu/libcuda.so",
    }
    assert driver_libraries(LISTING, "aarch64") == {"libcuda.so.1": "/usr/lib/aarch64-linux-gnu/libcuda.so.1"}
    assert driver_libraries(LISTING, "riscv64") == {}


def test_a_machine_without_any(tmp_path: Path) -> None:
    """No spec, no node: there are none, and nothing is wrong."""
    found = find_gpus([tmp_path / "no"], tmp_path, "")
    assert (found.numbers, found.way, found.problem) == ((), "", "")


def test_without_a_spec_the_driver_is_looked_for(tmp_path: Path) -> None:
    """Nodes by their numbers, what all share, the libraries; a node that is no device is refused before it is used."""
    for name in ("nvidia0", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia-caps", "null"):
        (tmp_path / name).touch()
    found = find_gpus([], tmp_path, _listing(tmp_path))
    assert found.numbers == (0, 2)
    assert found.way == "2 by the driver's nodes and libraries (no CDI spec)"
    assert found.problem == ""
    with pytest.raises(PrepareFailedError, match="is not a device"):
        found.access([1])


def test_without_its_library_a_driver_is_of_no_use(tmp_path: Path) -> None:
    """A node without libcuda.so.1 is a problem to be told."""
    (tmp_path / "nvidia0").touch()
    assert "libcuda.so.1" in find_gpus([], tmp_path, "").problem


def _spec(folder: Path, *numbers: int, library: str = "") -> Path:
    edits = {"mounts": [{"hostPath": library, "containerPath": "/usr/lib/libcuda.so.9"}]} if library else {}
    devices = [
        {
            "name": str(n),
            "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{n}", "hostPath": "/dev/null"}]},
        }
        for n in numbers
    ]
    folder.mkdir(exist_ok=True)
    document = {
        "cdiVersion": "0.6.0",
        "kind": "nvidia.com/gpu",
        "devices": devices,
        "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"], **edits},
    }
    (folder / "nvidia.json").write_text(json.dumps(document))
    return folder


def test_a_spec_goes_before(tmp_path: Path) -> None:
    """With one, its devices count; inside, CUDA's numbers begin at 0, and which they are outside is told."""
    found = find_gpus([_spec(tmp_path / "cdi", 0, 1, 3)], tmp_path, "")
    assert found.numbers == (0, 1, 3)
    assert found.way.endswith(f"the CDI spec {tmp_path / 'cdi' / 'nvidia.json'}")
    given = found.access([1, 2])
    assert given.nodes == (("/dev/null", "/dev/nvidia1"), ("/dev/null", "/dev/nvidia3"))
    assert given.environment == {"NVIDIA_VISIBLE_DEVICES": "1,3", "CUDA_VISIBLE_DEVICES": "0,1"}


def test_links_lie_beside_a_library_as_outside(tmp_path: Path) -> None:
    """Programs know a library by its link; those that lead to it outside are made inside."""
    (tmp_path / "libcuda.so.9.1").write_text("driver")
    (tmp_path / "libcuda.so.1").symlink_to("libcuda.so.9.1")
    (tmp_path / "libcuda.so.2").symlink_to("elsewhere")
    spec = _spec(tmp_path / "cdi", 0, library=str(tmp_path / "libcuda.so.9.1"))
    given = find_gpus([spec], tmp_path, "").access([0])
    assert given.links == (("libcuda.so.9", "/usr/lib/libcuda.so.1"),)


def test_a_spec_of_an_older_driver_is_told(tmp_path: Path) -> None:
    """A library that is gone is named, with the command that makes the spec again."""
    found = find_gpus([_spec(tmp_path / "cdi", 0, library="/nowhere/libcuda.so.1")], tmp_path, "")
    with pytest.raises(PrepareFailedError, match=r"/nowhere/libcuda\.so\.1 is not here") as refused:
        found.access([0])
    assert "nvidia-ctk cdi generate" in str(refused.value.hint)
    with pytest.raises(PrepareFailedError):
        found.access([5])


def test_a_broken_spec_does_not_hide_the_others(tmp_path: Path) -> None:
    """It is named as a problem; what the others say counts."""
    folder = _spec(tmp_path / "cdi", 0)
    (folder / "broken.yaml").write_text("{")
    (folder / "notes.txt").write_text("{")
    found = find_gpus([folder], tmp_path, "")
    assert found.numbers == (0,)
    assert "broken.yaml" in found.problem


@given(
    count=st.integers(0, 8),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.randoms(use_true_random=False)), max_size=40),
)  # fmt: skip
def test_no_gpu_is_ever_given_twice(count: int, moves: list[tuple[bool, int, object]]) -> None:
    """Whatever starts and ends in whatever order: no GPU has two instances, and who gets too few is told."""
    living: list[Grant] = []
    for starts, wanted, chance in moves:
        if starts or not living:
            taken = [number for grant in living for number in grant.devices]
            free = count - len(taken)
            needs = Resources(gpus=wanted)
            grant = Grant(resources=needs, devices=free_devices(count, taken, wanted))
            assert grant.lacks == max(0, wanted - free)
            assert not set(grant.devices) & set(taken)
            if not grant.lacks:
                living.append(grant)
        else:
            living.pop(chance.randrange(len(living)))  # type: ignore[attr-defined] # a random.Random
        held = [number for grant in living for number in grant.devices]
        assert len(held) == len(set(held))
        assert set(held) <= set(range(count))
