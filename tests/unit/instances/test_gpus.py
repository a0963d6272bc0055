"""Finding GPUs: by specs first, else by the driver's nodes and libraries; and which of them an instance gets."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from cogyard.domain.capacity import Grant, Resources, free_devices
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.gpu_names import Gpu, chosen, pools, read_slices
from cogyard.instances.gpus import Driver, Gpus, driver_libraries, find_gpus
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


def _driver(folder: Path, libraries: str = "", slices: str = "") -> Driver:
    return Driver(
        devices=folder, models=folder / "models", libraries=lambda: libraries, slices=lambda: slices
    )


def _model(folder: Path, number: int, name: str, uuid: str) -> None:
    """Write what the driver says of a GPU."""
    place = folder / "models" / f"0000:0{number}:00.0"
    place.mkdir(parents=True)
    (place / "information").write_text(
        f"Model: \t\t {name}\nIRQ:   \t\t 48\nGPU UUID: \t {uuid}\nBus Location: \t 0000:0{number}:00.0\n"
        f"Device Minor: \t {number}\nGPU Excluded:\t No\n"
    )


SLICED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c)
  MIG 3g.20gb     Device  0: (UUID: MIG-aaaa)
  MIG 1g.5gb      Device  1: (UUID: MIG-bbbb)
GPU 1: NVIDIA L4 (UUID: GPU-11111111)
"""


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
    found = find_gpus([tmp_path / "no"], _driver(tmp_path))
    assert (found.all, found.way, found.problem) == ((), "", "")


def test_without_a_spec_the_driver_is_looked_for(tmp_path: Path) -> None:
    """Nodes by their numbers, what all share, the libraries; a node that is no device is refused before it is used."""
    for name in ("nvidia0", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia-caps", "null"):
        (tmp_path / name).touch()
    found = find_gpus([], _driver(tmp_path, _listing(tmp_path)))
    assert found.names == ("0", "2")
    assert found.way == "2 by the driver's nodes and libraries (no CDI spec)"
    assert found.problem == ""
    with pytest.raises(PrepareFailedError, match="is not a device"):
        found.access([1])


def test_without_its_library_a_driver_is_of_no_use(tmp_path: Path) -> None:
    """A node without libcuda.so.1 is a problem to be told."""
    (tmp_path / "nvidia0").touch()
    assert "libcuda.so.1" in find_gpus([], _driver(tmp_path)).problem


def _spec(folder: Path, *numbers: int | str, library: str = "") -> Path:
    edits = {"mounts": [{"hostPath": library, "containerPath": "/usr/lib/libcuda.so.9"}]} if library else {}
    devices = [
        {
            "name": str(n),
            "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{str(n)[0]}", "hostPath": "/dev/null"}]},
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
    found = find_gpus([_spec(tmp_path / "cdi", 0, 1, 3)], _driver(tmp_path))
    assert found.names == ("0", "1", "3")
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
    given = find_gpus([spec], _driver(tmp_path)).access([0])
    assert given.links == (("libcuda.so.9", "/usr/lib/libcuda.so.1"),)


def test_a_spec_of_an_older_driver_is_told(tmp_path: Path) -> None:
    """A library that is gone is named, with the command that makes the spec again."""
    found = find_gpus([_spec(tmp_path / "cdi", 0, library="/nowhere/libcuda.so.1")], _driver(tmp_path))
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
    found = find_gpus([folder], _driver(tmp_path))
    assert found.names == ("0",)
    assert "broken.yaml" in found.problem


def test_kinds_are_told_by_the_driver(tmp_path: Path) -> None:
    """By the node that a spec gives, as its own numbers may be others than the driver's."""
    _model(tmp_path, 0, "NVIDIA A100-SXM4-40GB", "GPU-?\x3f\x3f-????")
    _model(tmp_path, 1, "NVIDIA L4", "GPU-11111111")
    found = find_gpus([_spec(tmp_path / "cdi", 0, 1)], _driver(tmp_path))
    assert found.all == (Gpu("0", "NVIDIA A100-SXM4-40GB"), Gpu("1", "NVIDIA L4", "GPU-11111111"))
    assert found.way.startswith("2 (1 NVIDIA A100-SXM4-40GB, 1 NVIDIA L4) by")
    assert pools(found.all, ["L4", "A100"]) == ("A100", "L4")
    assert pools(found.all, []) == ("", "")
    assert pools(found.all, ["l4"]) == ("other: NVIDIA A100-SXM4-40GB", "l4")
    assert pools([Gpu("0", "NVIDIA A100 80GB PCIe")], ["A100", "A100 80GB"]) == ("A100 80GB",)


def test_slices_are_given_in_place_of_their_gpu(tmp_path: Path) -> None:
    """Each is one, of a kind of its own; what is cut is not given whole; CUDA is told of it by its name."""
    _model(tmp_path, 0, "NVIDIA A100-SXM4-40GB", "GPU-5c89852c")
    _model(tmp_path, 1, "NVIDIA L4", "GPU-11111111")
    found = find_gpus([_spec(tmp_path / "cdi", 0, "0:1", 1, "0:0", "all")], _driver(tmp_path, slices=SLICED))
    assert found.names == ("0:0", "0:1", "1")
    assert [gpu.kind for gpu in found.all] == ["MIG 3g.20gb", "MIG 1g.5gb", "NVIDIA L4"]
    assert pools(found.all, ["A100", "MIG 1g.5gb", "L4"]) == ("other: MIG 3g.20gb", "MIG 1g.5gb", "L4")
    assert found.access([1]).environment == {
        "NVIDIA_VISIBLE_DEVICES": "0:1",
        "CUDA_VISIBLE_DEVICES": "MIG-bbbb",
    }
    assert found.visible([1, 2]) == "MIG-bbbb,GPU-11111111"
    assert (Gpus().visible([0, 1]), Gpus().visible([])) == ("0,1", "")


def test_slices_without_a_spec_are_a_problem(tmp_path: Path) -> None:
    """Their nodes are not found by looking, and the GPU alone is of no use."""
    (tmp_path / "nvidia0").touch()
    found = find_gpus([], _driver(tmp_path, _listing(tmp_path), SLICED))
    assert "cut into slices (0:0, 0:1)" in found.problem


def test_what_is_listed_is_read() -> None:
    """Slices by the number of their GPU and their own; what else is said is passed over."""
    assert list(read_slices(SLICED)) == ["0:0", "0:1"]
    assert read_slices("NVIDIA-SMI has failed\n  MIG 1g.5gb Device 0: (UUID: MIG-x)") == {}
    assert chosen(["all", "10", "2", "MIG-x", "1:0", "1"]) == ("1:0", "2", "10")


_KIND = st.sampled_from(["", "a", "b"])
_MOVE = st.tuples(st.booleans(), st.integers(0, 4), _KIND, st.randoms(use_true_random=False))


@given(kinds=st.lists(_KIND, max_size=8), moves=st.lists(_MOVE, max_size=40))
def test_no_gpu_is_ever_given_twice(kinds: list[str], moves: list[tuple[bool, int, str, object]]) -> None:
    """Whatever starts and ends: no GPU has two instances, each is of the kind asked for, who gets too few is told."""
    living: list[Grant] = []
    for starts, wanted, kind, chance in moves:
        if starts or not living:
            taken = [number for grant in living for number in grant.devices]
            free = [place for place in range(len(kinds)) if place not in taken and kinds[place] == kind]
            needs = Resources(kinds=((kind, wanted),)) if kind else Resources(gpus=wanted)
            grant = Grant(resources=needs, devices=free_devices(kinds, taken, needs))
            assert grant.lacks == max(0, wanted - len(free))
            assert set(grant.devices) <= set(free)
            assert not set(grant.devices) & set(taken)
            if not grant.lacks:
                living.append(grant)
        else:
            living.pop(chance.randrange(len(living)))  # type: ignore[attr-defined] # a random.Random
        held = [number for grant in living for number in grant.devices]
        assert len(held) == len(set(held))
        assert set(held) <= set(range(len(kinds)))
