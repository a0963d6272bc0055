"""The whole image as a Dockerfile, and the folder an engine builds it from without us."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cogyard.image.assemble import PORT
from cogyard.image.errors import BuildNotPossibleError
from cogyard.image.layers import MadeLayer
from cogyard.image.make import Making, make_layers
from cogyard.image.plan import KINDS, SOURCE_ROOT, PlannedLayer
from cogyard.image.prepare import Order, Prepared
from cogyard.image.site import Site
from cogyard.image.steps.dockerfile import Steps, Whole, whole_dockerfile

#: What lies above the steps: the rest of a plan is below them.
_ABOVE = frozenset({"lock", "weights", "source"})


def describe(order: Order, ready: Prepared, *, mounts: bool) -> str:
    """Return the Dockerfile of the whole image; `mounts` says that RUN takes mounts.

    Raises BuildNotPossibleError for a base that no Dockerfile can name.
    """
    base = ready.base
    names = {each: _file(number, each) for number, each in enumerate(_packed(ready), 1)}
    # Which layer is which is known only once they are made.
    labels = {name: value for name, value in ready.labels(order, {}).items() if name != KINDS}
    below = [name for each, name in names.items() if each.kind not in _ABOVE]
    image = Whole(
        base="scratch" if base.digest is None else f"{base.name}@{base.digest}",
        below=[*(_base_file(base.layers) if base.digest is None else []), *below],
        steps=next((each.steps for each in ready.plan.layers if each.steps), Steps()),
        above=[name for each, name in names.items() if each.kind in _ABOVE],
        env=ready.plan.env,
        labels=labels,
        entrypoint=ready.plan.entrypoint,
        cmd=ready.plan.cmd,
        folder=f"/{SOURCE_ROOT}",
        port=PORT,
    )
    return whole_dockerfile(image, mounts=mounts)


def write_context(folder: Path, text: str, ready: Prepared, making: Making, site: Site) -> None:
    """Write the Dockerfile and every archive that it adds into a folder; where that fails, no new folder stays.

    Raises ImageError, OSError.
    """
    planned = _packed(ready)
    made = deque(make_layers(msgspec.structs.replace(ready.plan, layers=planned), making, site))
    with have_folder(folder), have_folder(folder / "layers"):
        _fill(folder, text, ready, made, site)


def _fill(folder: Path, text: str, ready: Prepared, made: deque[MadeLayer], site: Site) -> None:
    planned = _packed(ready)
    if ready.base.digest is None:
        shutil.copyfile(
            site.store.path(ready.base.layers[0].descriptor.digest), folder / "layers/00-base.tar.gz"
        )
    lines = text.splitlines()
    for number, each in enumerate(planned, 1):
        name = _file(number, each)
        if made and (made[0].kind, made[0].title) == (each.kind, each.title):
            shutil.copyfile(site.store.path(made.popleft().descriptor.digest), folder / name)
        else:  # there is nothing in it
            lines = [line for line in lines if f'"{name}"' not in line]
    (folder / "Dockerfile").write_text("".join(f"{line}\n" for line in lines), "utf-8")


@contextmanager
def have_folder(folder: Path) -> Iterator[None]:
    """Have a folder; take it away again when the block fails, unless it was there before."""
    first = next((each for each in [*reversed(folder.parents), folder] if not each.exists()), None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        if first is not None:
            shutil.rmtree(first, ignore_errors=True)
        raise


def _packed(ready: Prepared) -> tuple[PlannedLayer, ...]:
    return tuple(each for each in ready.plan.layers if each.steps is None)


def _file(number: int, layer: PlannedLayer) -> str:
    return f"layers/{number:02d}-{layer.kind}.tar.gz"


def _base_file(layers: tuple[object, ...]) -> list[str]:
    if len(layers) != 1:
        raise BuildNotPossibleError(
            f"the base is made of {len(layers)} layers of this machine, which no Dockerfile can name",
            hint="Name a base of a registry with --base, or one that is a single tar.",
        )
    return ["layers/00-base.tar.gz"]
