"""A platform in one process for tests: the real application over a real database, and instances that play a script.

Theory of operation: `ApiPlatform` is what compose builds, without a registry, instances or sockets. Clients speak to
it through ASGI. `Instance` claims work and reports as a real one would, at the moment the test says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from cogyard.blobs.local import LocalBlobs
from cogyard.compose.archives import AccountArchives
from cogyard.compose.datadir import DataDir
from cogyard.domain.values import Account, Model, Prediction, Version, Visibility
from cogyard.domain.webhooks import Targets
from cogyard.features.accounts.service import Accounts
from cogyard.features.audit.service import Audit
from cogyard.features.collections.service import Collections
from cogyard.features.deployments.service import Deployments
from cogyard.features.examples.service import Examples
from cogyard.features.exports.service import Exports
from cogyard.features.files.service import Files
from cogyard.features.hardware.service import HardwareList
from cogyard.features.instances.ports import NoRecords
from cogyard.features.instances.service import InstanceRecords
from cogyard.features.limits.service import ModelAdmission
from cogyard.features.models.service import Models
from cogyard.features.organizations.service import Organizations
from cogyard.features.predictions.given import Given
from cogyard.features.predictions.handovers import Handovers
from cogyard.features.predictions.queue import Claim, Queue
from cogyard.features.predictions.service import Predictions
from cogyard.features.retention.service import Retention
from cogyard.features.services import Services
from cogyard.features.trainings.service import Trainings
from cogyard.features.usage.service import Usage
from cogyard.features.versions.removing import Removals
from cogyard.features.versions.service import Versions
from cogyard.features.webhooks.calls import WebhookCalls
from cogyard.features.webhooks.endpoints import Endpoints
from cogyard.features.world import World
from cogyard.instances.work import Outcome
from cogyard.store.accounts import SqlAccounts
from cogyard.store.audit import SqlAudit
from cogyard.store.collections import SqlCollections
from cogyard.store.database import Database
from cogyard.store.deployments import SqlDeployments
from cogyard.store.endpoints import SqlEndpoints
from cogyard.store.examples import SqlExamples
from cogyard.store.files import SqlFiles
from cogyard.store.handovers import HandoverFile
from cogyard.store.limits import SqlLimits
from cogyard.store.models import SqlModels
from cogyard.store.organizations import SqlOrganizations
from cogyard.store.outbox import SqlDeliveryLog, SqlWaitingLetters
from cogyard.store.predictions import SqlPredictions
from cogyard.store.removing import SqlRemovals
from cogyard.store.retention import SqlRetention
from cogyard.store.usage import SqlUsage
from cogyard.testing.database import open_database
from cogyard.testing.handovers import FakeHandovers
from cogyard.web.application import create_application
from cogyard.web.settings import WebSettings

BASE = "http://platform.test:8000"
SECRET = "a secret for tests"  # noqa: S105 - guards nothing

ECHO_SCHEMA: Mapping[str, Any] = {
    "openapi": "3.0.2",
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "title": "Input",
                "required": ["text"],
                "properties": {
                    "text": {"type": "string", "title": "Text", "x-order": 0},
                    "times": {"type": "integer", "title": "Times", "default": 1, "minimum": 1, "maximum": 4},
                    "image": {"type": "string", "format": "uri", "title": "Image", "nullable": True},
                    "key": {"type": "string", "format": "password", "x-cog-secret": True, "title": "Key"},
                },
            },
            "Output": {"type": "string", "title": "Output"},
        }
    },
}

IDEMPOTENT_SCHEMA: Mapping[str, Any] = {
    **ECHO_SCHEMA,
    "paths": {"/predictions": {"post": {"x-cog-idempotent": True}}},
}

TRAINABLE_SCHEMA: Mapping[str, Any] = {
    "openapi": "3.0.2",
    "components": {
        "schemas": {
            **ECHO_SCHEMA["components"]["schemas"],
            "TrainingInput": {
                "type": "object",
                "title": "TrainingInput",
                "required": ["steps"],
                "properties": {"steps": {"type": "integer", "title": "Steps", "minimum": 1, "x-order": 0}},
            },
            "TrainingOutput": {"type": "string", "format": "uri", "title": "TrainingOutput"},
        }
    },
}


@dataclass(kw_only=True)
class ApiPlatform:
    """An open platform, with two accounts (`owner`, `other`), an administrator, and a public model `owner/echo`."""

    services: Services
    app: Starlette
    database: Database
    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    model: Model
    version: Version

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, *, world: World | None = None, settings: WebSettings | None = None
    ) -> AsyncIterator[ApiPlatform]:
        """Open a platform over a folder; one that was opened before is found as it was left."""
        world = world or World()
        with open_database(folder / "cogyard.db") as database:
            blobs = LocalBlobs.open(folder / "files")
            handovers = _handovers(folder)
            services = make_services(database, blobs, world, handovers)
            app = create_application(services, settings or WebSettings(session_secret=SECRET))
            await services.endpoints.load()
            await services.limits.begin()
            platform = await cls._furnished(services, app, database)
            upkeep = asyncio.create_task(services.predictions.queue.run())
            try:
                yield platform
            finally:
                upkeep.cancel()
                await asyncio.gather(upkeep, return_exceptions=True)
                blobs.close()
                handovers.close()

    @classmethod
    async def _furnished(cls, services: Services, app: Starlette, database: Database) -> ApiPlatform:
        accounts: dict[str, Account] = {}
        for name in ("owner", "other", "root"):
            found = await services.accounts.get(name)
            accounts[name] = found or await services.accounts.create(
                name, name=name.title(), is_admin=name == "root"
            )
        tokens = {
            name: await services.accounts.create_token(account, "tests") for name, account in accounts.items()
        }
        owner = accounts["owner"]
        listed = await services.models.search(owner, "owner/echo")
        model = (
            listed.items[0]
            if listed.items
            else await services.models.create(owner, "owner", "echo", visibility=Visibility.PUBLIC)
        )
        version = await add_version(services, model, "a" * 64)
        model = await services.models.get(owner, "owner", "echo")
        return cls(
            services=services,
            app=app,
            database=database,
            accounts=accounts,
            tokens=tokens,
            model=model,
            version=version,
        )

    async def idempotent(self) -> Version:
        """Return another version of the model, whose author has declared it idempotent."""
        return await add_version(self.services, self.model, "e" * 64, IDEMPOTENT_SCHEMA)

    def client(self, name: str | None = "owner", **options: Any) -> httpx2.AsyncClient:
        """Return a client with that account's token; None has none."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        headers.update(options.pop("headers", {}))
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, raise_app_exceptions=False),
            base_url=options.pop("base_url", BASE),
            headers=headers,
            **options,
        )

    def instance(self, version: str | None = None) -> Instance:
        """Return an instance of a version."""
        return Instance(queue=self.services.predictions.queue, version=version or self.version.id)


@dataclass(kw_only=True)
class Instance:
    """Claims and reports when it is told to."""

    queue: Queue
    version: str
    name: str = "scripted"

    async def claim(self) -> Claim:
        """Take the next prediction, waiting for one."""
        async with asyncio.timeout(10):
            while (claim := await self.queue.claim(self.version, instance=self.name)) is None:
                await self.queue.wait_for_work(self.version, timeout=1)
        return claim

    async def run(
        self, answer: Any = None, *, chunks: tuple[Any, ...] = (), logs: str = "", error: str | None = None
    ) -> Prediction:
        """Take one prediction and run it to its end; a callable answer is given the input."""
        claim = await self.claim()
        key, token = claim.prediction.id, claim.lease_token
        self.queue.handovers.note(token)
        assert await self.queue.started(key, token)  # noqa: S101 - part of a test
        if logs or chunks:
            await self.queue.progress(key, token, logs=logs)
        for chunk in chunks:
            await self.queue.progress(key, token, outputs=[chunk])
        output = answer(claim.prediction.input) if callable(answer) else answer
        outcome = Outcome(
            status="failed" if error else "succeeded", output=output, streamed=bool(chunks), error=error
        )
        assert await self.queue.finished(key, token, outcome)  # noqa: S101 - part of a test
        self.queue.handovers.drop(token)
        return claim.prediction

    @asynccontextmanager
    async def always(
        self, answer: Callable[[Mapping[str, Any]], Any] | Callable[[Claim], Awaitable[Outcome]]
    ) -> AsyncIterator[None]:
        """Run whatever comes, beside the test, until the block ends."""

        async def loop() -> None:
            while True:
                await self.run(answer)

        task = asyncio.create_task(loop())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _handovers(folder: Path) -> HandoverFile:
    """Open the handovers of a platform's folder; one that is new there has begun."""
    path = folder / "handovers"
    new = not path.exists()
    file = HandoverFile.open(path, boot="tests")
    if new:
        file.begin()
    return file


def make_services(
    database: Database, blobs: LocalBlobs, world: World, handovers: Handovers | None = None
) -> Services:
    """Return services over a database and a folder of blobs; without handovers nothing is known of them."""
    accounts, models_store = SqlAccounts(database), SqlModels(database)
    hardware = HardwareList()
    files = Files(store=SqlFiles(database), blobs=blobs, world=world)
    models = Models(store=models_store, accounts=accounts, hardware=hardware, world=world)
    targets = Targets(allow_private=True, allow_http=True)
    endpoints = Endpoints(store=SqlEndpoints(database), targets=targets, world=world)
    limits = ModelAdmission(store=SqlLimits(database), models=models, world=world)
    predictions = Predictions(
        queue=Queue(
            handovers=handovers or FakeHandovers(),
            store=SqlPredictions(database),
            world=world,
            audience=endpoints.audience,
            on_end=limits.ended,
        ),
        admission=limits,
        given=Given(files=files),
        targets=targets,
        world=world,
    )
    removals = Removals(store=SqlRemovals(database), world=world)
    versions = Versions(store=models_store, models=models, world=world, ring=removals.ring)
    deployments = Deployments(
        store=SqlDeployments(database),
        versions=versions,
        predictions=predictions,
        hardware=hardware,
        world=world,
    )
    return Services(
        audit=Audit(store=SqlAudit(database), keep=timedelta(days=1), world=world),
        accounts=Accounts(store=accounts, world=world),
        organizations=Organizations(
            store=SqlOrganizations(database), accounts=accounts, closing=accounts, world=world
        ),
        models=models,
        versions=versions,
        removals=removals,
        predictions=predictions,
        examples=Examples(store=SqlExamples(database), models=models, predictions=predictions, world=world),
        collections=Collections(store=SqlCollections(database), models=models, world=world),
        deployments=deployments,
        limits=limits,
        retention=Retention(store=SqlRetention(database), models=models, deployments=deployments),
        trainings=Trainings(versions=versions, predictions=predictions),
        usage=Usage(store=SqlUsage(database), world=world),
        exports=Exports(archives=AccountArchives(DataDir(database.path.parent)), world=world),
        files=files,
        hardware=hardware,
        instances=InstanceRecords(versions=versions, records=NoRecords()),
        endpoints=endpoints,
        calls=WebhookCalls(
            log=SqlDeliveryLog(database),
            predictions=predictions,
            endpoints=endpoints,
            world=world,
            letters=SqlWaitingLetters(database),
        ),
    )


async def add_version(
    services: Services, model: Model, id: str, schema: Mapping[str, Any] = ECHO_SCHEMA
) -> Version:
    """Make a version of a model as a push does."""
    return await services.versions.add(
        model, digest=f"sha256:{id}", labels={}, openapi_schema=schema, cog_version="0.16.0", size=1
    )
