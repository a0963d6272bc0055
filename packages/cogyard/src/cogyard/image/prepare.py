"""Find out everything that is known before a layer is made: the base, the packages, the plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from cogyard import environment
from cogyard.environment import installed
from cogyard.environment.machine import Machine
from cogyard.image.assemble import labels
from cogyard.image.bases.base import Base
from cogyard.image.bases.choose import SETTING, find_base
from cogyard.image.bases.pin import choice_of, differs
from cogyard.image.expected import without_weights
from cogyard.image.plan import Plan, make_plan
from cogyard.image.platforms import architecture_of, local_platform
from cogyard.image.site import Site
from cogyard.image.steps.engine import Means, StepEngine
from cogyard.image.steps.freeze import with_steps
from cogyard.image.wheels.frozen import frozen
from cogyard.image.wheels.selected import Selected, selected
from cogyard.project import Project
from cogyard.project.ignore import source_files

if TYPE_CHECKING:
    from cogyard.weights.artifact import Artifact


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What one image is built from, for one platform."""

    project: Project
    base: str | None
    platform: str
    schema: bytes
    refresh: bool
    means: Means
    engine: StepEngine | None
    weights: tuple[Artifact, ...] = ()
    """The weights that come beside the image."""
    attest: bool = False
    """Whether what the image holds, and what it was built from, is to be attached to it."""

    @property
    def target(self) -> environment.Target:
        """What the packages are resolved for."""
        return environment.Target(python=self.project.python_version, platform=self.platform)


def prepare(order: Order, site: Site, *, engine: bool, init: bool = True) -> Prepared:
    """Find the base and the packages, and plan.

    `engine` says that an engine installs the system packages; `init` lets a base without an init get one.
    """
    project, target = order.project, order.target
    with ThreadPoolExecutor(
        1
    ) as beside:  # two questions to the index, neither of which needs the other's answer
        asked = beside.submit(environment.server_lock_for, project, target)
        lock = environment.lock_for(project, target, refresh=order.refresh, on_stale=site.progress.warn)
        for warning in lock.warnings:
            site.progress.warn(warning)
        server = asked.result()
    base = _base(order, site)
    major, minor = (int(part) for part in base.python_version.split("."))
    machine = Machine(python=(major, minor), architecture=base.architecture, glibc=base.glibc)
    here = os.uname().sysname == "Linux" and order.platform == local_platform()
    model = selected(lock.text, machine, site.cache, local_builds=here)
    own = selected(server.text, machine, site.cache, local_builds=here)
    tools: tuple[Selected, ...] = ()
    if project.run and not any(each.name == "pip" for each in model):
        # Commands of `run` say `pip install`, and mean the model's environment.
        tools = selected(environment.steps_lock(target).text, machine, site.cache)
    plan = make_plan(
        project,
        base,
        model=model,
        server=own,
        files=without_weights(project, source_files(project)),
        tools=tools,
        engine=engine,
        expects=_expected(order),
        init=init,
    )
    return Prepared(
        base=base,
        lock=lock,
        plan=plan,
        model=(*model, *tools),
        server=own,
        freeze=frozen(lock, site.cache),
    )


def _expected(order: Order) -> bytes:
    if not order.weights:
        return b""
    from cogyard.weights.artifact import expected

    return expected(order.weights)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known before a layer is made."""

    base: Base
    lock: environment.Lock
    plan: Plan
    model: tuple[Selected, ...]
    server: tuple[Selected, ...]
    freeze: str
    """The model's packages, a line for each."""

    def labels(
        self, order: Order, kinds: Mapping[str, str], changed: Mapping[str, str | None] | None = None
    ) -> dict[str, str]:
        """Return the image's labels.

        `kinds` says of a diffID what the layer is for, `changed` what steps did to the model's packages.
        """
        return labels(
            version=_version(),
            config=order.project.config.completed(),
            schema=order.schema,
            freeze=with_steps(self.freeze, changed or {}),
            base=self.base,
            has_init=bool(self.plan.entrypoint),
            kinds=kinds,
        )


def _base(order: Order, site: Site) -> Base:
    """Return the base that is named, else that of the project's lock, else one that fits its Python."""
    project, platform = order.project, order.platform
    choice = order.base or os.environ.get(SETTING) or None
    row = None if choice else _locked_base(project, platform)
    wanted = choice_of(row) if row is not None else choice
    found = find_base(wanted, project.python_version, architecture_of(platform), site, refresh=order.refresh)
    site.progress.done(f"Base {found.name}, Python {found.python_version}{' of cog.lock' if row else ''}")
    if row is not None and differs(found, row):
        site.progress.warn(
            f"the base {found.name} is not the one of cog.lock any more; `cog lock --upgrade` takes it"
        )
    return found


def _locked_base(project: Project, platform: str) -> Mapping[str, str] | None:
    kept = environment.read_lock(project)
    if kept is None or kept.own.get("asked", {}).get("python") != project.python_version:
        return None
    return kept.base(platform)


def _version() -> str:
    return installed.version("cogyard")
