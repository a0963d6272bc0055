"""Make the author's own spans part of the prediction's trace, where the author uses OpenTelemetry.

Nothing is imported that the author's code has not imported: without OpenTelemetry in the process nothing is to do.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

CONFIG = "COG_OBSERVABILITY_CONFIG"
_CONTEXT = "opentelemetry.context"
_PROPAGATE = "opentelemetry.propagate"


def join(trace: Mapping[str, str]) -> Callable[[], None] | None:
    """Make `trace` the parent of spans that begin from here; return what ends that, or None when nobody makes spans."""
    if _CONTEXT not in sys.modules:
        return None
    try:
        import importlib

        context = importlib.import_module(_CONTEXT)
        propagate = importlib.import_module(_PROPAGATE)
        token = context.attach(propagate.extract(trace))
    except Exception:  # noqa: BLE001 - a version of that package we do not know is no reason to fail a prediction
        return None

    def leave() -> None:
        context.detach(token)

    return leave


def configure(project: str, environ: Mapping[str, str] = os.environ) -> Callable[[], Any] | None:
    """Set up the author's tracing as the file that COG_OBSERVABILITY_CONFIG names does; return what ends it.

    The file has `create_tracer_provider()`, and `configure_instrumentation()` where libraries are to be watched. What
    it raises goes through: the setup of the model has failed. Raises LoadError.
    """
    file = environ.get(CONFIG)
    if not file:
        return None
    import importlib

    from cog.errors import LoadError
    from cog.worker.load import run_file

    module = run_file(file, project)
    if not callable(getattr(module, "create_tracer_provider", None)):
        raise LoadError(f"{file} defines no create_tracer_provider(), which {CONFIG} is about")
    provider = module.create_tracer_provider()
    importlib.import_module("opentelemetry.trace").set_tracer_provider(provider)
    instrument = getattr(module, "configure_instrumentation", None)
    if instrument is not None:
        instrument()
    return getattr(provider, "shutdown", None)
