"""Specs of the Container Device Interface, as values: what a device needs, what is left out, what is no spec."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from cogyard.instances.cdi import SpecError, access, numbered, read_spec
from cogyard.instances.devices import Access
from hypothesis import given
from hypothesis import strategies as st

#: As `nvidia-ctk cdi generate` writes it, cut short.
SPEC = """---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/dri/renderD128
    additionalGids: [44]
- name: "1"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
      hostPath: /dev/real1
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/nvidia1
- name: GPU-0f
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  - OTHER=a=b
  deviceNodes:
  - path: /dev/nvidiactl
  mounts:
  - hostPath: /usr/lib64/libcuda.so.550.67
    containerPath: /usr/lib64/libcuda.so.550.67
    options: [ro, nosuid, nodev, bind]
  - hostPath: /run/nvidia-persistenced/socket
    containerPath: /run/nvidia-persistenced/socket
  - hostPath: /proc/driver/nvidia/x
    containerPath: /proc/driver/nvidia/x
  hooks:
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, create-symlinks, --link, "libcuda.so.1::/usr/lib64/libcuda.so", "--link=a::/usr/b"]
  - hookName: createContainer
    path: /usr/bin/nvidia-ctk
    args: [nvidia-ctk, hook, update-ldcache, --folder, /usr/lib64]
  - hookName: createContainer
    path: /usr/bin/nvidia-ctk
    args: [nvidia-ctk, hook, chmod, --mode, "755"]
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, enable-cuda-compat, --host-driver-version=550]
"""


def _spec(**more: Any) -> str:
    return json.dumps({"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [], **more})


def _device(name: str, *nodes: str) -> dict[str, Any]:
    return {"name": name, "containerEdits": {"deviceNodes": [{"path": node} for node in nodes]}}


def test_a_device_brings_what_all_need() -> None:
    """Its own nodes, those of every device, libraries, links for which a hook was meant, and groups."""
    spec = read_spec("nvidia.yaml", SPEC)
    assert numbered([spec]) == ("0", "1")
    found = access([spec], ["1"])
    assert found.nodes == (("/dev/nvidiactl", "/dev/nvidiactl"), ("/dev/real1", "/dev/nvidia1"))
    assert found.shown == (("/usr/lib64/libcuda.so.550.67", "/usr/lib64/libcuda.so.550.67"),)
    assert found.links == (("libcuda.so.1", "/usr/lib64/libcuda.so"), ("a", "/usr/b"))
    assert found.libraries == ("/usr/lib64",)
    assert found.groups == ()
    assert found.environment == {"NVIDIA_VISIBLE_DEVICES": "void", "OTHER": "a=b"}


def test_what_is_left_out_is_told() -> None:
    """Sockets of services, places of ours and hooks that only an engine could run are named, a line each."""
    assert read_spec("nvidia.yaml", SPEC).always.skipped == (
        "the hook /usr/bin/nvidia-cdi-hook enable-cuda-compat is not run",
        "/run/nvidia-persistenced/socket is a socket, which sandboxes are not given",
        "/proc/driver/nvidia/x has no place in a sandbox (/proc/driver/nvidia/x)",
    )


def test_two_devices_share_what_is_common() -> None:
    """What both need is there once; the groups are all of theirs."""
    found = access([read_spec("nvidia.yaml", SPEC)], ["0", "1"])
    inside = [node for _, node in found.nodes]
    assert inside == ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dri/renderD128", "/dev/nvidia1"]
    assert found.groups == (44,)


def test_the_later_spec_goes_before() -> None:
    """Two files may have the same device; the one of the later folder counts, alone."""
    specs = [read_spec(name, _spec(devices=[_device("0", f"/dev/{name}")])) for name in ("first", "second")]
    assert access(specs, ["0"]).nodes == (("/dev/second", "/dev/second"),)


@pytest.mark.parametrize("name", ["7", "../0", ""])
def test_a_device_that_no_spec_has(name: str) -> None:
    """It is named in the error, with its kind."""
    with pytest.raises(SpecError, match=r"no CDI spec has the device nvidia\.com/gpu="):
        access([read_spec("nvidia.yaml", SPEC)], [name])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "- a",
        "",
        "kind: nvidia.com/gpu",
        _spec(devices=[{"containerEdits": {}}]),
        _spec(devices=[_device("0", "/etc/shadow")]),
        _spec(devices=[_device("0", "/dev/../etc/shadow")]),
        _spec(devices=[_device("0", "dev/null")]),
        _spec(devices=3),
        _spec(containerEdits={"mounts": [{"hostPath": "/a/../b", "containerPath": "/c"}]}),
        _spec(containerEdits={"mounts": [{"hostPath": "/a"}]}),
        _spec(containerEdits={"additionalGids": ["x"]}),
        _spec(containerEdits=[1]),
    ],
)
def test_what_is_no_spec_is_refused_by_name(text: str) -> None:
    """Whatever is wrong with a file, its name is said, and nothing of it is used."""
    with pytest.raises(SpecError, match=r"bad\.yaml"):
        read_spec("bad.yaml", text)


_KEYS = st.sampled_from(
    ["kind", "devices", "name", "containerEdits", "deviceNodes", "mounts", "hooks", "args"]
)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.text(max_size=200) | _DOCUMENTS.map(json.dumps))
def test_any_file_is_a_spec_or_refused(text: str) -> None:
    """No content of a file raises anything else."""
    with suppress(SpecError):
        assert read_spec("any.json", text).name == "any.json"


def test_libraries_go_before_the_images_own() -> None:
    """The driver's libraries are found first; an image that names none, or more, keeps what it has."""
    driver = Access(libraries=("/run/gpu",), environment={"A": "1"})
    assert driver.variables({"LD_LIBRARY_PATH": "/cuda", "B": "2"}) == {
        "LD_LIBRARY_PATH": "/run/gpu:/cuda",
        "A": "1",
        "B": "2",
    }
    assert driver.variables({})["LD_LIBRARY_PATH"] == "/run/gpu"
    assert Access().variables({"LD_LIBRARY_PATH": "/cuda"}) == {"LD_LIBRARY_PATH": "/cuda"}
