"""Make a plan's layers: most of them two at a time, those of an engine's steps once all below them are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from cogyard.image.bases.base import Base
from cogyard.image.download import Downloader, Login, nobody
from cogyard.image.layers import LayerMaker, MadeLayer
from cogyard.image.plan import KIND, Plan, PlannedLayer
from cogyard.image.site import Site
from cogyard.image.steps.engine import StepEngine
from cogyard.image.wheels import fetch
from cogyard.image.wheels.selected import Selected
from cogyard.oci.descriptor import Descriptor

#: Layers made at once. Compressing and hashing release Python's lock, so two keep two cores busy. As many of bytecode
#: beside them: those mostly wait for other processes.
_AT_ONCE = 2
#: Wheels fetched at once before their layers are made.
_AHEAD = 4


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """What the layers of one build are made of. `engine` runs its steps; `steps_name` is what its images are called."""

    base: Base
    lock: str
    schema: bytes
    epoch: int
    refresh: bool = False
    engine: StepEngine | None = None
    steps_name: str = ""
    login: Login = nobody
    secrets: Mapping[str, Path] = msgspec.field(default_factory=dict)


def make_layers(plan: Plan, making: Making, site: Site) -> list[MadeLayer]:
    """Return the layers above the base, lowest first.

    Raises ImageError; NeedsScriptsError for a system package that only an engine can install.
    """
    with (
        Downloader(site.cache / "downloads", login=making.login) as downloader,
        ThreadPoolExecutor(_AHEAD) as ahead,
        ThreadPoolExecutor(_AT_ONCE) as pool,
        ThreadPoolExecutor(_AT_ONCE) as compiling,
        downloader.ending(),
    ):
        maker = LayerMaker(
            site.store, site.cache, making.base, downloader,
            lock=making.lock, schema=making.schema, epoch=making.epoch,
        )  # fmt: skip

        def make(planned: PlannedLayer) -> MadeLayer | None:
            if planned.kind == "system":
                return _system(planned, making, site)
            return maker.make(planned, site.progress.detail)

        def begin(planned: PlannedLayer) -> Future[MadeLayer | None]:
            return (compiling if planned.kind == "bytecode" else pool).submit(make, planned)

        found = [_found(each, maker) for each in plan.layers]
        for wheel in _ahead(each for each, there in zip(plan.layers, found, strict=True) if there is None):
            ahead.submit(fetch.fetch_one, wheel, downloader)
        # The steps wait for their turn; everything else that is not there is begun at once.
        begun = [
            (each, None if each.steps else there or begin(each))
            for each, there in zip(plan.layers, found, strict=True)
        ]
        made: list[MadeLayer] = []
        try:
            for planned, future in begun:
                if future is None:
                    new = _steps(planned, plan, made, making, site)
                else:
                    layer = future.result()
                    new = [layer] if layer is not None else []
                for each in new:
                    made.append(each)
                    site.progress.done(_line(each))
        except BaseException:
            maker.stop()
            for executor in (ahead, pool, compiling):
                executor.shutdown(wait=False, cancel_futures=True)
            raise
        maker.stop()
    return made


def _found(planned: PlannedLayer, maker: LayerMaker) -> Future[MadeLayer | None] | None:
    """Return a layer that is there already, so that no thread begins for it: finding it takes less time than that."""
    if planned.steps or planned.kind == "system":
        return None
    there, layer = maker.find(planned)
    if not there:
        return None
    done = Future[MadeLayer | None]()
    done.set_result(layer)
    return done


def _ahead(layers: Iterable[PlannedLayer]) -> list[Selected]:
    """Return the wheels that layers will ask for, the largest first: fetching need not wait for a layer's turn."""
    wanted = {wheel for layer in layers for wheel in layer.wheels}
    return sorted(wanted, key=lambda each: (-(each.size or 0), each.name))


def _system(planned: PlannedLayer, making: Making, site: Site) -> MadeLayer | None:
    from cogyard.image.bases.debian.base import add_system

    added = add_system(making.base, planned.system_packages, site, refresh=making.refresh)
    if added is None:
        return None
    assembled, made = added
    descriptor = Descriptor(
        media_type=assembled.layer.media_type,
        digest=assembled.layer.digest,
        size=assembled.layer.size,
        annotations={KIND: "system", "run.cog.layer.title": planned.title},
    )
    return MadeLayer(
        kind="system", title=planned.title, descriptor=descriptor, diff_id=assembled.diff_id, made=made
    )


def _steps(
    planned: PlannedLayer, plan: Plan, below: list[MadeLayer], making: Making, site: Site
) -> list[MadeLayer]:
    from cogyard.image.steps.layers import Below, run_steps

    assert planned.steps is not None  # noqa: S101 - only such layers come here
    assert making.engine is not None  # noqa: S101 - a build with steps has found one before it began
    base, wishes = making.base, planned.steps.dpkg

    def debs() -> Mapping[str, Path]:
        from cogyard.image.bases.debian.base import fetch_system

        return fetch_system(base, wishes, site) if wishes else {}

    stack = [(each.descriptor, each.diff_id) for each in base.layers]
    stack += [(each.descriptor, each.diff_id) for each in below]
    under = Below(architecture=base.architecture, layers=stack, env=plan.env, debs=debs)
    found, made = run_steps(
        making.steps_name, under, planned.steps, making.engine, site,
        secrets=making.secrets, refresh=making.refresh,
    )  # fmt: skip
    return [
        MadeLayer(
            kind=each.kind, title=each.title, descriptor=each.descriptor, diff_id=each.diff_id, made=made
        )
        for each in found
    ]


def _line(layer: MadeLayer) -> str:
    size = layer.descriptor.size
    amount = f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
    return f"{layer.kind.capitalize()} {layer.title} ({amount}{'' if layer.made else ', unchanged'})"
