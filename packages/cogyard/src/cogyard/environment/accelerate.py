"""What `gpu` and `cuda` of cog.yaml add to a question: the builds of frameworks for a GPU, or for none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cogyard.environment.cuda import CUDNN, TELLING
from cogyard.environment.reasons import canonical
from cogyard.environment.wish import Wish

#: What PyTorch's index has one path for each CUDA of.
TORCH = ("torch", "torchvision", "torchaudio")
_NAME = re.compile(r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?")
_INDEX_OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--no-index")


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The packages bring another CUDA than cog.yaml asks for; a `fatal` one cannot work."""

    sentence: str
    fatal: bool


def extras(lines: Iterable[str], wish: Wish) -> list[str]:
    """Return lines that ask for the GPU's half of frameworks which leave it out: TensorFlow's and JAX's."""
    if not wish.gpu:
        return []
    found = []
    for line in lines:
        match = _NAME.match(line)
        if match is None or "cuda" in (match["extras"] or ""):
            continue
        name = canonical(match["name"])
        if name == "tensorflow":
            found.append("tensorflow[and-cuda]")
        elif name == "jax":
            major = (wish.cuda or "12").split(".")[0]
            found.append(f"jax[cuda{major}]")
    return list(dict.fromkeys(found))


def names_an_index(options: Iterable[str]) -> bool:
    """Whether a project chooses its indexes itself; then its choice counts for PyTorch's packages too."""
    return any(option.split(" ")[0] in _INDEX_OPTIONS for option in options)


def pages(base: str, backend: str) -> list[str]:
    """Return uv's arguments for a mirror of PyTorch's index: only its own packages are looked for there."""
    root = base.rstrip("/")
    return [part for name in TORCH for part in ("--find-links", f"{root}/{backend}/{name}/")]


def mismatch(packages: Sequence[Mapping[str, Any]], wish: Wish) -> Mismatch | None:
    """Return how the CUDA or cuDNN that packages bring differs from what cog.yaml asks for."""
    for wanted, pattern, label, depth in ((wish.cuda, TELLING, "CUDA", 2), (wish.cudnn, CUDNN, "cuDNN", 1)):
        if not wish.gpu or wanted is None:
            continue
        brought = next((str(one["version"]) for one in packages if pattern.match(str(one["name"]))), None)
        if brought is None or _parts(brought, depth) == _parts(wanted, depth):
            continue
        who = _framework(packages)
        other = f", or set COGYARD_TORCH_INDEX to a copy of PyTorch's index that has {wish.backend}"
        sentence = (
            f"cog.yaml asks for {label} {wanted}, and {who} from this index brings {label} {_parts(brought, 2)}: "
            f"take `{label.lower()}` out{other if label == 'CUDA' and who.startswith(TORCH) else ''}"
        )
        return Mismatch(sentence=sentence, fatal=_parts(brought, 1) != _parts(wanted, 1))
    return None


def unwanted(packages: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what to know when packages bring CUDA although the model needs no GPU; None when they do not."""
    cuda = [one for one in packages if str(one["name"]).startswith("nvidia-")]
    if not cuda:
        return None
    sizes = [wheel.get("size") or 0 for one in cuda for wheel in one.get("wheels", ())[:1]]
    size = f"{sum(sizes) / 1e9:.1f} GB"
    who = _framework(packages)
    why = (
        ": PyTorch's index of CPU wheels has no such release or cannot be reached (COGYARD_TORCH_INDEX names a copy)"
        if who.startswith(TORCH)
        else ""
    )
    count = f"{len(cuda)} package{'' if len(cuda) == 1 else 's'}"
    return f"{who} brings {count} of CUDA ({size}) although gpu is false{why}"


def _framework(packages: Sequence[Mapping[str, Any]]) -> str:
    versions = {str(one["name"]): one.get("version") for one in packages}
    found = next((name for name in (*TORCH, "tensorflow", "jax") if name in versions), None)
    return f"{found} {versions[found]}" if found else "what is asked for"


def _parts(version: str, count: int) -> str:
    return ".".join(version.split(".")[:count])
