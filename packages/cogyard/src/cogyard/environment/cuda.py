"""Which CUDA and cuDNN a set of packages brings, and which of them says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cogyard.environment.frameworks import Row, bundled
from cogyard.environment.reasons import Reasons

#: Packages whose version is CUDA's own, the most telling first.
_TELLING = re.compile(r"^(nvidia-cuda-runtime|cuda-toolkit|nvidia-cuda-nvrtc|nvidia-cuda-cupti)(-cu\d+)?$")
_ORDER = ("nvidia-cuda-runtime", "cuda-toolkit", "nvidia-cuda-nvrtc", "nvidia-cuda-cupti")
_CUDNN = re.compile(r"^nvidia-cudnn(-cu\d+)?$")
_LOCAL = re.compile(r"\+cu(\d{2})(\d)$")


@dataclass(frozen=True, kw_only=True)
class Cuda:
    """A CUDA version ("12.1"), the cuDNN with it where there is one ("8.9.2"), and the reason in words."""

    version: str
    cudnn: str | None
    because: str
    wheels: bool = True
    """Whether the packages bring it themselves; else the image or the machine must have it."""


def cuda_of(reasons: Reasons) -> Cuda | None:
    """Return the CUDA of a resolution; None when nothing in it uses one."""
    versions = reasons.versions
    cudnn = next((_parts(versions[name], 3) for name in sorted(versions) if _CUDNN.match(name)), None)
    for name in _telling(versions):
        return Cuda(version=_parts(versions[name], 2), cudnn=cudnn, because=_because(name, reasons))
    for name, version in sorted(versions.items()):
        if found := _LOCAL.search(version):
            said = f"{name} {version} is built for it"
            return Cuda(version=f"{int(found[1])}.{found[2]}", cudnn=cudnn, because=said)
    row = _from_table(versions)
    if row is None:
        return None
    said = f"{row.package} {versions[row.package]} was built for it and names no packages of NVIDIA's"
    return Cuda(version=row.cuda, cudnn=row.cudnn or None, because=said, wheels=row.bundles)


def _telling(versions: Mapping[str, str]) -> list[str]:
    found = [name for name in versions if _TELLING.match(name)]
    return sorted(found, key=lambda name: (_ORDER.index(re.sub(r"-cu\d+$", "", name)), name))


def _because(name: str, reasons: Reasons) -> str:
    """Return who pins the telling package; an exact pin by a framework tells more than another package's range."""
    sentences = reasons.of(name)
    for sentence in sentences:
        if "==" in sentence:
            return sentence
    for other, version in sorted(reasons.versions.items()):
        if (
            other.startswith("nvidia-")
            and version
            and (pins := [one for one in reasons.of(other) if "==" in one])
        ):
            return f"{pins[0]}, and with it comes {name} {reasons.versions[name]}"
    return sentences[0] if sentences else f"{name} {reasons.versions[name]} is among the packages"


def _from_table(versions: Mapping[str, str]) -> Row | None:
    for package in ("torch", "tensorflow"):
        if package in versions and (row := bundled(package, versions[package])) is not None:
            return row
    return None


def _parts(version: str, count: int) -> str:
    return ".".join(version.split("+", maxsplit=1)[0].split(".")[:count])
