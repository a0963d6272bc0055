"""Deployments: a name in front of a version, with instances of its own. Rules and values, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cogyard.domain.autoscale import Scale
from cogyard.domain.deployables import is_own, is_training, of_deployment
from cogyard.domain.values import Account

# The hosted service's limits, which its clients' users know.
MIN_INSTANCES_LIMIT = 5
MAX_INSTANCES_LIMIT = 20
#: What is no longer current keeps its instances for what still waits for it, and for what was just sent there.
RETIRED = Scale(min_instances=0, max_instances=1, idle_timeout=timedelta(seconds=5))


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """A second version that gets `percent` of a release's predictions."""

    version: str
    percent: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """What a release says: which version runs, on what, and how many instances of it."""

    version: str
    hardware: str
    min_instances: int
    max_instances: int
    split: Split | None = None

    @property
    def versions(self) -> frozenset[str]:
        """What predictions are given: one version, or both of a split."""
        return frozenset({self.version} if self.split is None else {self.version, self.split.version})


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A configuration that was current from `created_at` until the next."""

    number: int
    configuration: Configuration
    created_at: datetime
    created_by: Account


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A name that predictions are asked of, `owner/name`, and what is behind it now."""

    id: int
    owner: str
    name: str
    model: str
    created_at: datetime
    release: Release

    @property
    def path(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def disabled(self) -> bool:
        """Whether it may have no instance, so that nothing asked of it could ever run."""
        return self.release.configuration.max_instances == 0


def chosen_version(configuration: Configuration, random: int) -> str:
    """Return the version that one prediction runs; `random` is a number below 2**16 that nobody chose."""
    split = configuration.split
    return (
        split.version if split is not None and random * 100 < split.percent << 16 else configuration.version
    )


def problems(configuration: Configuration) -> list[tuple[str, str]]:
    """Return what is wrong with the numbers of a configuration, by field."""
    found: list[tuple[str, str]] = []
    low, high = configuration.min_instances, configuration.max_instances
    for name, value, limit in (
        ("min_instances", low, MIN_INSTANCES_LIMIT),
        ("max_instances", high, MAX_INSTANCES_LIMIT),
    ):
        if not 0 <= value <= limit:
            found.append((name, f"It must be from 0 to {limit}, not {value}."))
    if not found and low > high:
        found.append(("min_instances", f"It must not be above max_instances: {low} is more than {high}."))
    split = configuration.split
    if split is not None and not 1 <= split.percent <= 99:
        found.append(("split.percent", f"It must be from 1 to 99, not {split.percent}."))
    if split is not None and split.version == configuration.version:
        found.append(("split.version", "It must be another version than the one that gets the rest."))
    return found


def configured(wanted: Configuration, idle_timeout: timedelta) -> Scale:
    """Return how a release says that its instances grow and shrink."""
    return Scale(
        min_instances=wanted.min_instances, max_instances=wanted.max_instances, idle_timeout=idle_timeout
    )


def scales_of(deployments: Iterable[Deployment], idle_timeout: timedelta) -> Mapping[str, Scale]:
    """Return how the current releases of deployments grow and shrink, by what their instances work for."""
    found: dict[str, Scale] = {}
    for deployment in deployments:
        wanted = deployment.release.configuration
        scale = configured(wanted, idle_timeout)
        versions = [wanted.version] if wanted.split is None else [wanted.version, wanted.split.version]
        found.update({of_deployment(version, deployment.id): scale for version in versions})
    return found


def scale_of(deployable: str, own: Mapping[str, Scale], default: Scale, training: Scale = RETIRED) -> Scale:
    """Return how one deployable scales: `own` of releases that serve, nothing to spare for past ones."""
    if is_training(deployable):
        return training
    return own.get(deployable, RETIRED if is_own(deployable) else default)
