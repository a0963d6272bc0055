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
from cogyard.compose.archives import AccountArchives
from cogyard.compose.datadir import DataDir
from cogyard.compose.machine import machine
from cogyard.compose.metrics import Metrics
from cogyard.compose.registry import (
    AccountIdentity,
    ModelAccess,
    PushedImages,
    VersionPins,
    VersionsFromPushes,
)
from cogyard.compose.settings import Settings
from cogyard.compose.trainings import TrainedVersions
from cogyard.compose.upgrade import open_database
from cogyard.domain.autoscale import Limits, Scale
from cogyard.domain.capacity import Resources
from cogyard.domain.deployments import RETIRED
from cogyard.domain.retention import FOREVER, Keep
from cogyard.domain.values import Prediction
from cogyard.domain.webhooks import Targets
from cogyard.features.accounts.service import Accounts
from cogyard.features.audit.service import Audit
from cogyard.features.collections.service import Collections
from cogyard.features.deployments.scaling import DeploymentScales
from cogyard.features.deployments.service import Deployments
from cogyard.features.examples.service import Examples
from cogyard.features.exports.service import Exports
from cogyard.features.files.service import Files
from cogyard.features.hardware.service import HardwareList
from cogyard.features.instances.ports import Records
from cogyard.features.instances.service import InstanceRecords
from cogyard.features.limits.service import ModelAdmission
from cogyard.features.models.service import Models
from cogyard.features.organizations.service import Organizations
from cogyard.features.predictions.given import Given
from cogyard.features.predictions.queue import Queue
from cogyard.features.predictions.service import Predictions
from cogyard.features.retention.service import Retention
from cogyard.features.retention.sweep import Sweep
from cogyard.features.services import Services
from cogyard.features.trainings.finishing import TrainingWork
from cogyard.features.trainings.service import Trainings
from cogyard.features.usage.service import Usage
from cogyard.features.versions.removing import Removals
from cogyard.features.versions.service import Versions
from cogyard.features.webhooks.calling import HttpCaller
from cogyard.features.webhooks.calls import WebhookCalls
from cogyard.features.webhooks.endpoints import Endpoints
from cogyard.features.webhooks.ports import Caller
from cogyard.features.webhooks.service import Deliveries
from cogyard.fleet.controller import ControllerOptions
from cogyard.fleet.reasons import Lookout
from cogyard.http.rates import Rates
from cogyard.instances.gpus import find_gpus
from cogyard.instances.run import Work
from cogyard.registry.app import Registry, create_registry
from cogyard.store.accounts import SqlAccounts
from cogyard.store.audit import SqlAudit
from cogyard.store.collections import SqlCollections
from cogyard.store.database import Database
from cogyard.store.deployments import SqlDeployments
from cogyard.store.endpoints import SqlEndpoints
from cogyard.store.examples import SqlExamples
from cogyard.store.figures import SqlFigures
from cogyard.store.files import SqlFiles
from cogyard.store.limits import SqlLimits
from cogyard.store.models import SqlModels
from cogyard.store.organizations import SqlOrganizations
from cogyard.store.outbox import SqlDeliveryLog, SqlOutbox, SqlWaitingLetters
from cogyard.store.predictions import SqlPredictions
from cogyard.store.registry import SqlRepositories
from cogyard.store.removing import SqlRemovals
from cogyard.store.retention import SqlRetention
from cogyard.store.usage import SqlUsage
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

    @classmethod
    def open(cls, folder: DataDir) -> Kept:
        """Open the database (made and migrated as needed) and the blobs."""
        database = open_database(folder)
        images = LocalBlobs.open(folder.images)
        return cls(
            database=database,
            images=images,
            files=LocalBlobs.open(folder.files),
            repositories=SqlRepositories(database),
            uploads=LocalUploads(images),
        )

    def close(self) -> None:
        """Close everything; what is in line is written first."""
        self.database.close()
        self.images.close()
        self.files.close()


def make_caller(settings: Settings) -> HttpCaller:
    """Make what calls webhooks; close it in the end."""
    return HttpCaller(targets=_targets(settings))


def _targets(settings: Settings) -> Targets:
    return Targets(allow_private=settings.webhook_private, allow_http=settings.webhook_http)


def make_metrics(kept: Kept, folder: DataDir) -> Metrics:
    """Make the operator's metrics; `views` is to be set once there is a fleet."""
    return Metrics(figures=SqlFigures(kept.database), folder=folder.root)


def make_services(
    kept: Kept,
    settings: Settings,
    caller: Caller,
    *,
    ended: Callable[[Prediction], None],
    lookout: Lookout,
    history: Records,
    folder: DataDir,
) -> Services:
    """Make what the platform can do.

    `ended` hears of each prediction's end, `lookout` knows why others wait, `history` how instances ended.
    """
    account_store, model_store, store = (
        SqlAccounts(kept.database),
        SqlModels(kept.database),
        SqlPredictions(kept.database),
    )
    accounts, hardware = Accounts(store=account_store), _hardware(settings)
    files = Files(store=SqlFiles(kept.database), blobs=kept.files, upload_limit=settings.max_file)
    models = Models(
        store=model_store, accounts=account_store, hardware=hardware, repositories=kept.repositories
    )
    log = SqlDeliveryLog(kept.database)
    endpoints = Endpoints(store=SqlEndpoints(kept.database), targets=_targets(settings))
    webhooks = Deliveries(
        outbox=SqlOutbox(kept.database),
        predictions=store,
        accounts=accounts,
        endpoints=endpoints,
        caller=caller,
        log=log,
    )
    limits = ModelAdmission(store=SqlLimits(kept.database), models=models)

    def has_ended(prediction: Prediction) -> None:
        limits.ended(prediction)
        ended(prediction)

    predictions = Predictions(
        queue=Queue(store=store, on_message=webhooks.ring, on_end=has_ended, audience=endpoints.audience),
        admission=limits,
        given=Given(files=files),
        targets=_targets(settings),
        why=lookout.why,
    )
    removals = Removals(store=SqlRemovals(kept.database))
    versions = Versions(store=model_store, models=models, ring=removals.ring)
    deployments = Deployments(
        store=SqlDeployments(kept.database),
        versions=versions,
        predictions=predictions,
        hardware=hardware,
    )
    return Services(
        accounts=accounts,
        organizations=Organizations(
            store=SqlOrganizations(kept.database),
            accounts=account_store,
            closing=account_store,
            anyone_founds=settings.organizations == "anyone",
        ),
        audit=Audit(store=SqlAudit(kept.database), keep=timedelta(days=settings.audit_days)),
        models=models,
        versions=versions,
        removals=removals,
        predictions=predictions,
        examples=Examples(store=SqlExamples(kept.database), models=models, predictions=predictions),
        collections=Collections(store=SqlCollections(kept.database), models=models),
        deployments=deployments,
        limits=limits,
        retention=Retention(
            store=SqlRetention(kept.database),
            models=models,
            deployments=deployments,
            platform=_keep(settings),
        ),
        trainings=Trainings(versions=versions, predictions=predictions),
        usage=Usage(store=SqlUsage(kept.database)),
        exports=Exports(archives=AccountArchives(folder)),
        files=files,
        hardware=hardware,
        webhooks=webhooks,
        instances=InstanceRecords(versions=versions, records=history, present=lookout),
        endpoints=endpoints,
        calls=WebhookCalls(
            log=log,
            predictions=predictions,
            endpoints=endpoints,
            ring=webhooks.ring,
            letters=SqlWaitingLetters(kept.database),
        ),
    )


def _hardware(settings: Settings) -> HardwareList:
    offered = tuple(each.hardware for each in settings.hardware)
    return HardwareList(offered=offered) if offered else HardwareList()


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
    return Work(source=work, reports=work, cancellations=queue)


def _capacity(settings: Settings) -> Resources | None:
    return machine(find_gpus(settings.cdi_spec_dirs)) if settings.hardware else None


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
    return Sweep(store=SqlRetention(kept.database), platform=_keep(settings))


def _keep(settings: Settings) -> Keep:
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
