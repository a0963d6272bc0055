"""What can be read with GET about the model and its server."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

import msgspec

from cog_server import docs_page
from cog_server.metrics_page import metrics
from cog_server.prediction import timestamp
from cog_server.release import release
from cog_server.runner import Kind, Runner
from cog_server.workers.health import Health

_encode = msgspec.json.encode


@dataclass(frozen=True)
class Page:
    """An answer to a GET."""

    body: bytes
    status: int = 200
    media_type: bytes = b"application/json"


class Pages:
    """The readable endpoints."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def get(self, path: str) -> Page | None:
        """Return the page at `path`, or None."""
        if path == "/health-check":
            return Page(_encode(await health(self._runner.predictions)))
        if path == "/openapi.json":
            return self._document()
        if path == "/metrics":
            return Page(metrics(self._runner), media_type=b"text/plain; version=0.0.4; charset=utf-8")
        if path == "/docs":
            return Page(
                docs_page.page(self._runner.predictions.document), media_type=b"text/html; charset=utf-8"
            )
        if path == "/":
            return Page(_encode(self._discovery()))
        return None

    def _discovery(self) -> dict[str, str]:
        found = {
            "cog_version": release(),
            "docs_url": "/docs",
            "openapi_url": "/openapi.json",
            "shutdown_url": "/shutdown",
            "healthcheck_url": "/health-check",
        }
        kinds = ["predictions", "trainings"] if self._runner.can_train else ["predictions"]
        for kind in kinds:
            found[f"{kind}_url"] = f"/{kind}"
            found[f"{kind}_idempotent_url"] = f"/{kind}/{{{kind[:-1]}_id}}"
            found[f"{kind}_cancel_url"] = f"/{kind}/{{{kind[:-1]}_id}}/cancel"
        return found

    def _document(self) -> Page:
        kind = self._runner.predictions
        if kind.document is not None:
            return Page(_encode(kind.document))
        ready = kind.supervisor.ready
        why = "There is no schema yet: the model's setup() has not finished."
        if ready is not None:
            why = f"The model has no schema: {ready.schema_error or 'none was made'}"
        elif kind.supervisor.health in (Health.SETUP_FAILED, Health.DEFUNCT):
            why = f"There is no schema: {kind.supervisor.failure}"
        return Page(_encode({"detail": why}), status=503)


async def health(kind: Kind) -> dict[str, Any]:
    """Return what /health-check tells; the model's own healthcheck is asked when the worker can answer."""
    supervisor = kind.supervisor
    state = kind.engine.health
    error: str | None = None
    ready = supervisor.ready
    # A sync worker that is busy cannot answer, and being busy is not being unwell.
    if ready is not None and ready.healthcheck and (ready.is_async or state is Health.READY):
        answer = await supervisor.healthcheck()
        if not answer.ok:
            state, error = Health.UNHEALTHY, answer.error or "the model's healthcheck returned False"
        ready = supervisor.ready
    setup = supervisor.setup
    found: dict[str, Any] = {
        "status": state.value,
        "setup": {
            "started_at": timestamp(setup.started_at),
            "completed_at": timestamp(setup.completed_at),
            "status": setup.status,
            "logs": setup.logs,
            **({} if setup.signal is None else {"signal": setup.signal}),
        },
        "version": {
            "cog_server": release(),
            "server_python": platform.python_version(),
            "python_sdk": ready.sdk if ready else None,
            "python": ready.python if ready else None,
        },
    }
    if ready is not None:
        found["slots"] = kind.engine.slots
    workers = supervisor.each()
    if workers:
        found["workers"] = workers
    if error is not None:
        found["user_healthcheck_error"] = error
    if supervisor.failure is not None:
        found["error"] = supervisor.failure
    return found
