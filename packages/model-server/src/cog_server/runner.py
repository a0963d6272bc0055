"""One model on this machine: its engine, its worker, its document; for predictions, and for trainings."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cog_server import documents
from cog_server.asked import Limits
from cog_server.engine import Engine
from cog_server.folders import Folders
from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.fetch import Fetcher
from cog_server.outputs import DataUrlStore, OutputStore, Uploads, UploadStore
from cog_server.threads import in_thread
from cog_server.tracing import Tracer
from cog_server.validation import InputSchema
from cog_server.webhooks import INTERVAL, WebhookClient
from cog_server.workers.devices import commands
from cog_server.workers.lane import Lane
from cog_server.workers.pool import Pool
from cog_server.workers.process import WorkerCommand, WorkerProcess
from cog_server.workers.supervisor import Before, OnLog, Supervisor

WEBHOOK_GRACE = 30.0
"""Seconds that the last webhooks may take when the server ends."""


@dataclass(frozen=True, kw_only=True)
class RunnerOptions:
    """What a runner runs, and within which limits."""

    command: WorkerCommand
    limits: Limits = field(default_factory=Limits)
    schema_file: Path | None = None
    schema: Mapping[str, Any] | None = None
    setup_timeout: float | None = None
    workers: int = 1
    gpus: int | None = None
    upload_url: str | None = None
    rule: AddressRule = field(default_factory=AddressRule)
    store: Callable[[str | None], OutputStore] | None = None
    """Where output files go, by the request's prefix; data URLs and uploads unless set."""
    webhook_interval: float = INTERVAL
    """Seconds between two webhooks about outputs and logs."""
    tracer: Tracer | None = None
    on_log: OnLog | None = None
    on_prediction_log: OnLog | None = None
    on_ready: Callable[[bool], None] | None = None
    before: Before | None = None
    """What is waited for before a worker is spawned."""


class Kind:
    """Predictions or trainings: an engine with a worker of its own, and the document that says what it takes."""

    def __init__(
        self, engine: Engine, pool: Pool, document: Mapping[str, Any] | None, component: str
    ) -> None:
        self.engine = engine
        self.supervisor = pool
        self._component = component
        self._given = document
        self._compiled_for: object = None
        self._schema = (
            InputSchema.none() if document is None else InputSchema.compile(document, component=component)
        )

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The OpenAPI document: the one made at build time, else the worker's."""
        if self._given is not None:
            return self._given
        ready = self.supervisor.ready
        return ready.schema if ready is not None else None

    @property
    def schema(self) -> InputSchema:
        """The compiled check of inputs."""
        if self._given is None:
            document = self.document
            if document is not None and document is not self._compiled_for:
                self._schema = InputSchema.compile(document, component=self._component)
                self._compiled_for = document
        return self._schema


class Runner:
    """Make it inside a running event loop; `start()`, then `close()` whatever happened."""

    def __init__(self, options: RunnerOptions) -> None:
        self.options = options
        self.limits = options.limits
        self.folders = Folders()
        self._uploads = Uploads()
        self._webhooks = WebhookClient(options.webhook_interval)
        self._fetcher = Fetcher(options.rule)
        self._trainings: Kind | None = None
        document = options.schema or documents.load(options.schema_file, options.command.project)
        training = options.command.mode == "train"
        self.predictions = self._kind(options.command, document, "TrainingInput" if training else "Input")
        self.predictions.engine.on_ready = options.on_ready

    @property
    def can_train(self) -> bool:
        """Whether there are trainings."""
        return self.options.command.train_ref is not None

    async def start(self, process: WorkerProcess | None = None) -> None:
        """Start the worker, or take the one that was started before this process imported anything."""
        await self.predictions.supervisor.start(process)

    async def trainings(self) -> Kind:
        """Return the trainings, starting their worker when it is first needed."""
        if self._trainings is None:
            command = dataclasses.replace(self.options.command, mode="train")
            self._trainings = self._kind(command, self.predictions.document, "TrainingInput")
            await self._trainings.supervisor.start()
            await asyncio.wait({asyncio.ensure_future(_settled(self._trainings.supervisor))})
        return self._trainings

    def restart(self, reason: str) -> None:
        """Start the workers anew: their code has changed."""
        for kind in self.kinds():
            kind.supervisor.restart(reason)

    async def drain(self) -> None:
        """Refuse what is new, and wait for what there is."""
        await asyncio.gather(*(kind.engine.drained() for kind in self.kinds()))

    def cancel_all(self) -> None:
        """Ask that everything stop."""
        for kind in self.kinds():
            kind.engine.cancel_all()

    async def close(self, webhook_grace: float = WEBHOOK_GRACE) -> None:
        """End the workers and remove every folder; the last webhooks may take `webhook_grace` seconds."""
        await asyncio.gather(*(kind.supervisor.close() for kind in self.kinds()))
        await self._webhooks.close(webhook_grace)
        await self._uploads.close()
        await self._fetcher.close()
        if self.options.tracer is not None:
            await in_thread(self.options.tracer.close)
        self.folders.close()

    def worker_pids(self) -> set[int]:
        """Return the process numbers of the workers."""
        return {pid for kind in self.kinds() for pid in kind.supervisor.pids}

    @property
    def webhook_counts(self) -> Mapping[str, int]:
        """How many messages to webhooks were delivered, refused, or given up."""
        return self._webhooks.counts

    def kinds(self) -> list[Kind]:
        """Return the predictions, and the trainings once there was one."""
        return [self.predictions] if self._trainings is None else [self.predictions, self._trainings]

    def _kind(self, command: WorkerCommand, document: Mapping[str, Any] | None, component: str) -> Kind:
        training = component == "TrainingInput"
        # How long a prediction may take says nothing of a training.
        limits = dataclasses.replace(self.limits, predict_timeout=None) if training else self.limits
        engine = Engine(
            limits=limits,
            folders=self.folders,
            fetcher=self._fetcher,
            store=self.options.store or self._store,
            webhooks=self._webhooks,
            on_log=self.options.on_prediction_log,
            tracer=self.options.tracer,
            training=training,
        )
        workers = 1 if training else self.options.workers
        pool = Pool([self._lane(engine, one) for one in commands(command, workers, self.options.gpus)])
        engine.attach(pool)
        return Kind(engine, pool, document, component)

    def _lane(self, engine: Engine, command: WorkerCommand) -> Lane:
        lane = Lane(engine)
        lane.supervisor = Supervisor(
            command,
            lane,
            setup_timeout=self.options.setup_timeout,
            on_log=self.options.on_log,
            before=self.options.before,
        )
        return lane

    def _store(self, prefix: str | None) -> OutputStore:
        address = prefix or self.options.upload_url
        return DataUrlStore() if address is None else UploadStore(address, self._uploads)


async def _settled(supervisor: Pool) -> None:
    import contextlib

    from cog_server.errors import SetupFailedError

    with contextlib.suppress(SetupFailedError):
        await supervisor.settled()
