"""The platform's services over a data folder: every adapter is made here."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from starlette.types import ASGIApp

from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.compose.datadir import DataDir, DataDirError
from cogyard.compose.machine import gpu_pools, machine
from cogyard.compose.metrics import Metrics
from cogyard.compose.registry import (
    AccountIdentity,
    ModelAccess,
    PushedImages,
    VersionPins,
    VersionsFromPushes,
)
from cogyard.compose.settings import Settings
from cogyard.compose.skus import gpu_kinds
from cogyard.compose.trainings import TrainedVersions
from cogyard.compose.upgrade import open_database
from cogyard.domain.autoscale import Limits, Scale
from cogyard.domain.capacity import Resources
from cogyard.domain.deployments import RETIRED
from cogyard.domain.retention import FOREVER, Keep
from cogyard.features.deployments.scaling import DeploymentScales
from cogyard.features.retention.sweep import Sweep
from cogyard.features.services import Services
from cogyard.features.trainings.finishing import TrainingWork
from cogyard.fleet.controller import ControllerOptions
from cogyard.http.rates import Rates
from cogyard.instances.gpus import find_gpus
from cogyard.instances.run import Work
from cogyard.registry.app import Registry, create_registry
from cogyard.store.database import Database
from cogyard.store.figures import SqlFigures
from cogyard.store.handovers import HandoverFile, boot_id
from cogyard.store.registry import SqlRepositories
from cogyard.store.retention import SqlRetention
from cogyard.web.application import create_application
from cogyard.web.measuring import Meter
from cogyard.web.settings import WebSettings


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept in the folder, opened."""

    database: Database
    #: Layers, configs: what images are made of.
    images: LocalBlobs
    #: Inputs and outputs. Apart from the images, since whoever deletes a file deletes its content.
    files: LocalBlobs
    repositories: SqlRepositories
    #: Layers on their way.
    uploads: LocalUploads
    #: Which predictions were handed over to a model.
    handovers: HandoverFile

    @classmethod
    def open(cls, folder: DataDir) -> Kept:
        """Open the database (made and migrated as needed) and the blobs."""
        handovers = _handovers(folder)
        database = open_database(folder)
        images = LocalBlobs.open(folder.images)
        return cls(
            database=database,
            images=images,
            files=LocalBlobs.open(folder.files),
            repositories=SqlRepositories(database),
            uploads=LocalUploads(images),
            handovers=handovers,
        )

    def close(self) -> None:
        """Close everything; what is in line is written first."""
        self.database.close()
        self.images.close()
        self.files.close()
        self.handovers.close()


def _handovers(folder: DataDir) -> HandoverFile:
    try:
        return HandoverFile.open(folder.handovers, boot=boot_id())
    except OSError as error:
        raise DataDirError(
            f"The file {folder.handovers} cannot be used: {error.strerror}.",
            hint="It is the platform's own. Put whatever stands in its place elsewhere; the platform makes it anew.",
        ) from error


def make_metrics(kept: Kept, folder: DataDir) -> Metrics:
    """Make the operator's metrics; `views` is to be set once there is a fleet."""
    return Metrics(figures=SqlFigures(kept.database), folder=folder.root)


def make_application(
    kept: Kept,
    services: Services,
    settings: Settings,
    secret: str,
    meter: Meter,
    *,
    rates: Rates,
    prefetch: Callable[[str], None],
) -> ASGIApp:
    """Make the application: API, pages, registry, files. `prefetch` is told of each version that was pushed."""
    web = WebSettings(
        session_secret=secret,
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        tls=settings.tls_cert is not None,
        metrics_token=settings.metrics_token,
        rates=rates,
    )
    registry = make_registry(kept, services, settings, secret, prefetch)
    return create_application(services, web, registry=registry, meter=meter)


def make_registry(
    kept: Kept, services: Services, settings: Settings, secret: str, prefetch: Callable[[str], None]
) -> Registry:
    """Make the registry over the same accounts and models."""
    return create_registry(
        blobs=kept.images,
        uploads=kept.uploads,
        repositories=kept.repositories,
        identity=AccountIdentity(services),
        access=ModelAccess(services),
        pushes=VersionsFromPushes(services, prefetch),
        pins=VersionPins(services, kept.repositories),
        secret=secret,
        max_blob=settings.max_layer,
        quota=settings.registry_quota,
    )


def make_work(kept: Kept, services: Services, folder: DataDir, *, quota: int | None) -> Work:
    """Return the queue as instances see it; trainings make versions on their way through it."""
    queue = services.predictions.queue
    maker = TrainedVersions(
        services=services,
        sources=PushedImages(services.versions.store, kept.repositories, kept.images),
        repositories=kept.repositories,
        blobs=kept.images,
        scratch=folder.instances,
        quota=quota,
    )
    work = TrainingWork(queue=queue, maker=maker)
    return Work(source=work, reports=work, cancellations=queue, handovers=kept.handovers)


def _capacity(settings: Settings) -> Resources | None:
    if not settings.hardware:
        return None
    return machine(gpu_pools(find_gpus(settings.cdi_spec_dirs), gpu_kinds(settings.hardware)))


def controller_options(settings: Settings) -> ControllerOptions:
    """Return how this machine scales."""
    return ControllerOptions(
        limits=Limits(max_instances=settings.max_instances, capacity=_capacity(settings)),
        scale=Scale(idle_timeout=timedelta(seconds=settings.idle_timeout)),
        # Trainings last, and do not make room: one place is left for whoever waits for an answer.
        training=replace(
            RETIRED, max_instances=max(min(settings.max_trainings, settings.max_instances - 1), 1)
        ),
    )


def make_sweep(kept: Kept, settings: Settings) -> Sweep:
    """Return what removes the data of old predictions."""
    return Sweep(store=SqlRetention(kept.database), platform=keep_of(settings))


def keep_of(settings: Settings) -> Keep:
    """Return how long data of predictions is kept where nobody said otherwise."""
    return FOREVER if settings.keep_predictions is None else Keep(int(settings.keep_predictions))


def make_scales(services: Services, settings: Settings) -> DeploymentScales:
    """Return how deployments scale."""
    return DeploymentScales(
        store=services.deployments.store,
        idle_timeout=timedelta(seconds=settings.idle_timeout),
        rollouts=services.deployments.rollouts,
    )


def secret_of(folder: DataDir) -> str:
    """Return what sessions and registry tokens are signed with; made once, readable by the owner alone."""
    try:
        handle = os.open(folder.secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return folder.secret.read_text("ascii").strip() or _refill(folder)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    return folder.secret.read_text("ascii")


def _refill(folder: DataDir) -> str:
    """Make the secret anew: a power cut left an empty file."""
    folder.secret.unlink()
    return secret_of(folder)
