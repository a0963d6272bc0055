"""`GET /metrics`: how the model and its server are, in the Prometheus text format."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cog_server.release import release
from cog_server.statistics import heading
from cog_server.workers.health import Health

if TYPE_CHECKING:
    from cog_server.runner import Kind, Runner

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_UNPRINTABLE = re.compile(r'[\\"\n]')


def metrics(runner: Runner) -> bytes:
    """Return the page. Trainings have their own lines once there was one."""
    kind = runner.predictions
    lines = _about(kind)
    for name, type_, meaning, value in _gauges(kind):
        lines += [*heading(name, type_, meaning), f"{name} {value}"]
    lines += heading("cog_webhooks_total", "counter", "Messages to webhooks, by what became of them.")
    lines += [f'cog_webhooks_total{{result="{name}"}} {n}' for name, n in runner.webhook_counts.items()]
    lines += heading("cog_memory_bytes", "gauge", "Resident memory of the server and of each worker.")
    lines.append(f'cog_memory_bytes{{process="server"}} {memory_of(os.getpid())}')
    lines += [
        f'cog_memory_bytes{{process="worker",worker="{number}"}} {memory_of(pid)}'
        for number, pid in enumerate(kind.supervisor.each_pid())
        if pid is not None
    ]
    for one in runner.kinds():
        lines += one.engine.statistics.lines()
    return ("\n".join(lines) + "\n").encode()


def _about(kind: Kind) -> list[str]:
    ready = kind.supervisor.ready
    named = {
        "server": release(),
        "sdk": ready.sdk if ready is not None else "",
        "python": ready.python if ready is not None else "",
    }
    labels = ",".join(f'{name}="{_UNPRINTABLE.sub("?", value)}"' for name, value in named.items())
    return [*heading("cog_info", "gauge", "Which releases run."), f"cog_info{{{labels}}} 1"]


def _gauges(kind: Kind) -> list[tuple[str, str, str, float]]:
    engine, supervisor = kind.engine, kind.supervisor
    found: list[tuple[str, str, str, float]] = [
        ("cog_ready", "gauge", "1 while predictions are taken.", int(supervisor.health is Health.READY)),
        ("cog_slots", "gauge", "How many predictions run at a time.", engine.slots),
        ("cog_queue_places", "gauge", "How many more may wait.", engine.limits.queue),
        ("cog_predictions_running", "gauge", "Predictions that have a slot.", engine.running),
        ("cog_predictions_waiting", "gauge", "Predictions that have none yet.", engine.waiting),
        ("cog_workers", "gauge", "Worker processes that should run.", len(supervisor.lanes)),
        (
            "cog_workers_ready",
            "gauge",
            "Worker processes whose setup() has succeeded.",
            supervisor.ready_count,
        ),
        ("cog_worker_restarts_total", "counter", "Workers that were started again.", supervisor.restarts),
    ]
    if supervisor.setup.completed_at is not None:
        seconds = supervisor.setup.completed_at - supervisor.setup.started_at
        found.append(("cog_setup_seconds", "gauge", "How long the last setup() took.", round(seconds, 6)))
    return found


def memory_of(pid: int) -> int:
    """Return the bytes of memory that a process has in use; 0 where nobody tells."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
