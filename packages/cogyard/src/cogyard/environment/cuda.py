"""Which CUDA and cuDNN a set of packages brings, and which of them says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cogyard.environment.frameworks import Row, built_for, pinned
from cogyard.environment.reasons import Reasons

#: Packages whose version is CUDA's own, the most telling first.
TELLING = re.compile(r"^(nvidia-cuda-runtime|cuda-toolkit|nvidia-cuda-nvrtc|nvidia-cuda-cupti)(-cu\d+)?$")
_ORDER = ("nvidia-cuda-runtime", "cuda-toolkit", "nvidia-cuda-nvrtc", "nvidia-cuda-cupti")
CUDNN = re.compile(r"^nvidia-cudnn(-cu\d+)?$")
_FRAMEWORKS = ("torch ", "tensorflow ", "jax ")
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
    cudnn = next((_parts(versions[name], 3) for name in sorted(versions) if CUDNN.match(name)), None)
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
    return Cuda(version=row.cuda, cudnn=row.cudnn, because=said, wheels=row.carried)


def cuda_expected(lines: Iterable[str]) -> Cuda | None:
    """Return the CUDA that a pinned framework was built for, by this release's own table: no index is asked."""
    found = pinned(lines)
    if found is None:
        return None
    row, version = found
    said = f"{row.package} {version} was built for it, by this release's own table"
    return Cuda(version=row.cuda, cudnn=row.cudnn, because=said, wheels=row.carried)


def _telling(versions: Mapping[str, str]) -> list[str]:
    found = [name for name in versions if TELLING.match(name)]
    return sorted(found, key=lambda name: (_ORDER.index(re.sub(r"-cu\d+$", "", name)), name))


def _because(name: str, reasons: Reasons) -> str:
    """Return who pins it: a framework's exact pin tells most, of this package or of another that brings it."""
    others = [
        "cuda-toolkit",
        *sorted(one for one in reasons.versions if one.startswith("nvidia-") and one != name),
    ]
    for telling in (name, *others):
        for sentence in reasons.of(telling):
            if sentence.startswith(_FRAMEWORKS) and "==" in sentence:
                brings = "" if telling == name else f", and with it comes {name} {reasons.versions[name]}"
                return re.sub(r"\[[^\]]*\]", "", sentence) + brings
    said = reasons.of(name)
    pins = [sentence for sentence in said if "==" in sentence]
    return next(iter([*pins, *said]), f"{name} {reasons.versions[name]} is among the packages")


def _from_table(versions: Mapping[str, str]) -> Row | None:
    for package in ("torch", "tensorflow"):
        row = built_for(package, versions.get(package, ""))
        if row is not None and row.silent:
            return row
    return None


def _parts(version: str, count: int) -> str:
    return ".".join(version.split("+", maxsplit=1)[0].split(".")[:count])
