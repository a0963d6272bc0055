"""The Container Device Interface: what a vendor's specs say that a container needs to use a device. Pure.

A spec is a JSON or YAML file in a well-known folder, made by the vendor's tool (`nvidia-ctk cdi generate`). A device is
called `KIND=NAME`, such as `nvidia.com/gpu=0`. See the CNCF's container-device-interface, SPEC.md, 0.3 to 1.1.

Hooks are programs that a container engine runs as root, outside. We run none; what NVIDIA's common ones come to (links,
folders for the loader) is done in their place, and of each other one is told that it was left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cogyard.instances.devices import Access
from cogyard.instances.gpu_names import chosen

#: The kind that NVIDIA's specs have.
NVIDIA = "nvidia.com/gpu"
#: Where our own file systems are; nothing of a device's is shown there.
_OURS = ("/proc", "/dev", "/tmp", "/sys", "/run/cogyard")  # noqa: S108 - inside
#: Sockets of services that run as root are not handed to strangers; they are told by their names.
_SOCKET = ("socket", ".sock")
#: Hooks with nothing to do here: mounts are read-only, modes stay, links to libraries are made for all.
_NEEDLESS = frozenset({"chmod", "create-soname-symlinks", "disable-device-node-modification"})


class SpecError(ValueError):
    """A spec that can't be read, or has not what is asked of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """One file: the devices of a kind, and what is needed with any of them."""

    name: str
    kind: str
    devices: Mapping[str, Access]
    always: Access


def read_spec(name: str, text: str) -> Spec:
    """Read a file's text, JSON or YAML. Raises SpecError naming the file."""
    try:
        document = yaml.safe_load(text)
        devices = {str(each["name"]): _access(each.get("containerEdits")) for each in document["devices"]}
        return Spec(
            name=name,
            kind=str(document["kind"]),
            devices=devices,
            always=_access(document.get("containerEdits")),
        )
    except yaml.YAMLError as error:
        raise SpecError(f"{name} is neither JSON nor YAML") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SpecError(
            f"{name} is not a CDI spec as known here ({type(error).__name__}: {error})"
        ) from error


def numbered(specs: Iterable[Spec], kind: str = NVIDIA) -> tuple[str, ...]:
    """Return the devices of a kind that are called by numbers; `all` and those called by ids are the same again."""
    return chosen(name for spec in specs if spec.kind == kind for name in spec.devices)


def access(specs: Sequence[Spec], names: Iterable[str], kind: str = NVIDIA) -> Access:
    """Return what these devices need together. Of specs with the same device the last one counts.

    Raises SpecError for a device that no spec has.
    """
    found = Access()
    for name in names:
        having = [spec for spec in specs if spec.kind == kind and name in spec.devices]
        if not having:
            raise SpecError(f"no CDI spec has the device {kind}={name}")
        found = found + having[-1].always + having[-1].devices[name]
    return found


def _access(edits: Any) -> Access:
    if edits is None:
        return Access()
    hooks = _hooks(edits.get("hooks") or ())
    shown, skipped = _mounts(edits.get("mounts") or ())
    pairs = [str(each).partition("=") for each in edits.get("env") or ()]
    return hooks + Access(
        nodes=tuple(_nodes(edits.get("deviceNodes") or ())),
        shown=tuple(shown),
        groups=tuple(int(each) for each in edits.get("additionalGids") or ()),
        environment={name: value for name, _, value in pairs},
        skipped=tuple(skipped),
    )


def _nodes(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        inside = _clean(node["path"])
        if not inside.startswith("/dev/"):
            raise SpecError(f"it has a device at {inside}, outside of /dev")
        yield _clean(node.get("hostPath") or inside), inside


def _mounts(mounts: Iterable[Mapping[str, Any]]) -> tuple[list[tuple[str, str]], list[str]]:
    shown, skipped = [], []
    for mount in mounts:
        outside, inside = _clean(mount["hostPath"]), _clean(mount["containerPath"])
        if outside.endswith(_SOCKET):
            skipped.append(f"{outside} is a socket, which sandboxes are not given")
        elif any(inside == ours or inside.startswith(f"{ours}/") for ours in _OURS):
            skipped.append(f"{outside} has no place in a sandbox ({inside})")
        else:
            shown.append((outside, inside))
    return shown, skipped


def _hooks(hooks: Iterable[Mapping[str, Any]]) -> Access:
    found = Access()
    for hook in hooks:
        words = [str(each) for each in hook.get("args") or ()]
        names = [word for word in words[1:] if not word.startswith("-")]
        name = next((word for word in names if word != "hook"), "")
        if name == "create-symlinks":
            pairs = [value.split("::", 1) for value in _values(words, "--link")]
            found += Access(links=tuple((target, _clean(place)) for target, place in pairs))
        elif name == "update-ldcache":
            found += Access(libraries=tuple(_clean(each) for each in _values(words, "--folder")))
        elif name not in _NEEDLESS:
            found += Access(skipped=(f"the hook {hook.get('path')} {name} is not run".replace("  ", " "),))
    return found


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    """Yield an option's values, as `--link X` and `--link=X`."""
    for number, word in enumerate(words):
        if word == option and number + 1 < len(words):
            yield words[number + 1]
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]


def _clean(path: Any) -> str:
    """Return a path without `..`, or raise: it is bound to exactly this place."""
    text = str(path)
    if not text.startswith("/") or posixpath.normpath(text) != text.rstrip("/"):
        raise SpecError(f"it has the path {text}, which is not absolute and plain")
    return text.rstrip("/")
