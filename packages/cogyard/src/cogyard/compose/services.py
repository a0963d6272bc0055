"""Every service of the platform over what is kept, each given the adapters and the other services it works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cogyard.compose.archives import AccountArchives
from cogyard.compose.datadir import DataDir
from cogyard.compose.parts import Kept, keep_of
from cogyard.compose.settings import Settings
from cogyard.domain.values import Prediction
from cogyard.domain.webhooks import Targets
from cogyard.features.accounts.service import Accounts
from cogyard.features.audit.service import Audit
from cogyard.features.collections.service import Collections
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
from cogyard.features.services import Services
from cogyard.features.trainings.service import Trainings
from cogyard.features.usage.service import Usage
from cogyard.features.versions.removing import Removals
from cogyard.features.versions.service import Versions
from cogyard.features.webhooks.calling import HttpCaller
from cogyard.features.webhooks.calls import WebhookCalls
from cogyard.features.webhooks.endpoints import Endpoints
from cogyard.features.webhooks.ports import Caller
from cogyard.features.webhooks.service import Deliveries
from cogyard.fleet.reasons import Lookout
from cogyard.store.accounts import SqlAccounts
from cogyard.store.audit import SqlAudit
from cogyard.store.collections import SqlCollections
from cogyard.store.deployments import SqlDeployments
from cogyard.store.endpoints import SqlEndpoints
from cogyard.store.examples import SqlExamples
from cogyard.store.files import SqlFiles
from cogyard.store.limits import SqlLimits
from cogyard.store.models import SqlModels
from cogyard.store.organizations import SqlOrganizations
from cogyard.store.outbox import SqlDeliveryLog, SqlOutbox, SqlWaitingLetters
from cogyard.store.predictions import SqlPredictions
from cogyard.store.removing import SqlRemovals
from cogyard.store.retention import SqlRetention
from cogyard.store.usage import SqlUsage


def make_caller(settings: Settings) -> HttpCaller:
    """Make what calls webhooks; close it in the end."""
    return HttpCaller(targets=_targets(settings))


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
    database, hardware = kept.database, _hardware(settings)
    accounts = Accounts(store=SqlAccounts(database))
    files = Files(store=SqlFiles(database), blobs=kept.files, upload_limit=settings.max_file)
    models = Models(
        store=SqlModels(database),
        accounts=SqlAccounts(database),
        hardware=hardware,
        repositories=kept.repositories,
    )
    limits = ModelAdmission(store=SqlLimits(database), models=models)
    told = _Told.by(kept, settings, caller, accounts)
    predictions = _predictions(kept, settings, told, limits, files, ended=ended, lookout=lookout)
    removals = Removals(store=SqlRemovals(database))
    versions = Versions(store=SqlModels(database), models=models, ring=removals.ring)
    deployments = Deployments(
        store=SqlDeployments(database), versions=versions, predictions=predictions, hardware=hardware
    )
    return Services(
        accounts=accounts,
        organizations=_organizations(kept, settings),
        audit=Audit(store=SqlAudit(database), keep=timedelta(days=settings.audit_days)),
        models=models,
        versions=versions,
        removals=removals,
        predictions=predictions,
        examples=Examples(store=SqlExamples(database), models=models, predictions=predictions),
        collections=Collections(store=SqlCollections(database), models=models),
        deployments=deployments,
        limits=limits,
        retention=_retention(kept, settings, models, deployments),
        trainings=Trainings(versions=versions, predictions=predictions),
        usage=Usage(store=SqlUsage(database)),
        exports=Exports(archives=AccountArchives(folder)),
        files=files,
        hardware=hardware,
        instances=InstanceRecords(versions=versions, records=history, present=lookout),
        webhooks=told.webhooks,
        endpoints=told.endpoints,
        calls=told.calls(kept, predictions),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """Who is told of predictions, and what tells them."""

    log: SqlDeliveryLog
    endpoints: Endpoints
    webhooks: Deliveries

    @classmethod
    def by(cls, kept: Kept, settings: Settings, caller: Caller, accounts: Accounts) -> _Told:
        """Tell by a caller."""
        log = SqlDeliveryLog(kept.database)
        endpoints = Endpoints(store=SqlEndpoints(kept.database), targets=_targets(settings))
        webhooks = Deliveries(
            outbox=SqlOutbox(kept.database),
            predictions=SqlPredictions(kept.database),
            accounts=accounts,
            endpoints=endpoints,
            caller=caller,
            log=log,
        )
        return cls(log=log, endpoints=endpoints, webhooks=webhooks)

    def calls(self, kept: Kept, predictions: Predictions) -> WebhookCalls:
        """Return what shows who was told what."""
        return WebhookCalls(
            log=self.log,
            predictions=predictions,
            endpoints=self.endpoints,
            ring=self.webhooks.ring,
            letters=SqlWaitingLetters(kept.database),
        )


def _predictions(
    kept: Kept,
    settings: Settings,
    told: _Told,
    limits: ModelAdmission,
    files: Files,
    *,
    ended: Callable[[Prediction], None],
    lookout: Lookout,
) -> Predictions:
    def has_ended(prediction: Prediction) -> None:
        limits.ended(prediction)
        ended(prediction)

    queue = Queue(
        store=SqlPredictions(kept.database),
        handovers=kept.handovers,
        on_message=told.webhooks.ring,
        on_end=has_ended,
        audience=told.endpoints.audience,
    )
    return Predictions(
        queue=queue,
        admission=limits,
        given=Given(files=files),
        targets=_targets(settings),
        why=lookout.why,
    )


def _organizations(kept: Kept, settings: Settings) -> Organizations:
    accounts = SqlAccounts(kept.database)
    return Organizations(
        store=SqlOrganizations(kept.database),
        accounts=accounts,
        closing=accounts,
        anyone_founds=settings.organizations == "anyone",
    )


def _retention(kept: Kept, settings: Settings, models: Models, deployments: Deployments) -> Retention:
    return Retention(
        store=SqlRetention(kept.database),
        models=models,
        deployments=deployments,
        platform=keep_of(settings),
    )


def _targets(settings: Settings) -> Targets:
    return Targets(allow_private=settings.webhook_private, allow_http=settings.webhook_http)


def _hardware(settings: Settings) -> HardwareList:
    offered = tuple(each.hardware for each in settings.hardware)
    return HardwareList(offered=offered) if offered else HardwareList()
