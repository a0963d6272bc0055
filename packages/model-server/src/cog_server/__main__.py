"""`python -m cog_server`: serve the model of an image or a project folder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cog_server.errors import StartError
from cog_server.expected import expected
from cog_server.numbers import COUNT, PAUSE, PORT, POSITIVE, SECONDS
from cog_server.origin import TraceHeader
from cog_server.serving import ServerOptions, explain, serve

LEVELS = ("trace", "debug", "info", "warn", "warning", "error")
"""Those of `cog_server.logs`, which is loaded after the worker was started."""
_IMAGE = Path("/src")
"""Where the project is in an image; nowhere else does `/` speak of this model."""
_TRUE = {"1", "true", "yes", "on"}


def options(arguments: list[str], env: dict[str, str]) -> ServerOptions:
    """Return the options of a command line and an environment; arguments win.

    Exits with 2 when the command line makes no sense. Raises StartError when the environment does.
    """
    parser = argparse.ArgumentParser(
        prog="python -m cog_server", description="Serve a packaged model over HTTP."
    )
    parser.add_argument("--host", default=env.get("HOST") or "0.0.0.0")  # noqa: S104 - see ServerOptions
    parser.add_argument("--port", type=PORT, default=PORT.of(env, "PORT", 5000))
    parser.add_argument("--uds", type=Path)
    parser.add_argument("--python", type=Path, default=env.get("COG_PYTHON") or "python3")
    parser.add_argument("--project", type=Path, default=env.get("COG_PROJECT") or _default_project())
    parser.add_argument("--ref", default=env.get("COG_PREDICT_TYPE_STUB") or None)
    parser.add_argument("--train-ref", default=env.get("COG_TRAIN_TYPE_STUB") or None)
    parser.add_argument("--schema", type=Path)
    parser.add_argument("--concurrency", type=POSITIVE, default=POSITIVE.of(env, "COG_MAX_CONCURRENCY"))
    parser.add_argument("--workers", type=POSITIVE, default=POSITIVE.of(env, "COG_WORKERS", 1))
    parser.add_argument("--gpus", type=COUNT, default=COUNT.of(env, "COG_GPUS"))
    parser.add_argument("--queue", type=COUNT, default=COUNT.of(env, "COG_QUEUE_SIZE", 100))
    parser.add_argument("--upload-url", default=env.get("COG_UPLOAD_URL") or None)
    parser.add_argument("--setup-timeout", type=PAUSE, default=PAUSE.of(env, "COG_SETUP_TIMEOUT"))
    parser.add_argument("--predict-timeout", type=SECONDS, default=SECONDS.of(env, "COG_PREDICT_TIMEOUT"))
    interval = PAUSE.of(env, "COG_THROTTLE_RESPONSE_INTERVAL", 0.5)
    parser.add_argument("--webhook-interval", type=PAUSE, default=interval)
    parser.add_argument("--token", default=env.get("COG_API_TOKEN") or None)
    parser.add_argument("--ready-file", type=Path, default=env.get("COG_READY_FILE") or None)
    parser.add_argument("--cancel-grace", type=PAUSE, default=PAUSE.of(env, "COG_CANCEL_GRACE", 5.0))
    parser.add_argument("--await-explicit-shutdown", action="store_true")
    parser.add_argument("--exit-on-stdin-close", action="store_true")
    parser.add_argument("--allow-private-inputs", action="store_true")
    parser.add_argument("--input-hosts", default=env.get("COG_INPUT_HOSTS") or None)
    parsed = parser.parse_args(arguments)
    if parsed.ref is None and parsed.train_ref is None:
        parser.error("no model is named: give --ref predict.py:Predictor, or set COG_PREDICT_TYPE_STUB")
    level = (env.get("COG_LOG_LEVEL") or "warning").lower()
    form = (env.get("LOG_FORMAT") or "console").lower()
    if form not in ("console", "json"):
        raise StartError(f"LOG_FORMAT is {form!r}; it may be console or json")
    if level not in LEVELS:
        raise StartError(f"COG_LOG_LEVEL is {level!r}; it may be {', '.join(LEVELS)}")
    return ServerOptions(
        log_level=level,
        log_format=form,
        strict_capacity=is_set(env, "COG_STRICT_CAPACITY"),
        trace=is_set(env, "COG_TRACE_ENABLED"),
        trace_header=trace_header(env),
        weights=expected() if parsed.project == _IMAGE else (),
        **vars(parsed),
    )


def is_set(env: Mapping[str, str], name: str) -> bool:
    """Say whether a variable is set to 1, true, yes or on."""
    return env.get(name, "").lower() in _TRUE


def trace_header(env: Mapping[str, str]) -> TraceHeader | None:
    """Return the header that COG_TRACE_HEADER names, unless it is the usual one. Raises StartError."""
    name, form = env.get("COG_TRACE_HEADER", "").strip().lower(), env.get("COG_TRACE_HEADER_FORMAT") or "w3c"
    if form not in ("w3c", "jaeger"):
        raise StartError(f"COG_TRACE_HEADER_FORMAT is {form!r}; it may be w3c or jaeger")
    if form == "jaeger":
        return TraceHeader((name or "uber-trace-id").encode(), jaeger=True)
    return TraceHeader(name.encode()) if name and name != "traceparent" else None


def _default_project() -> str:
    return "/src" if Path("/src").is_dir() else str(Path.cwd())


def main() -> int:
    """Serve; return the exit status."""
    try:
        return serve(options(sys.argv[1:], dict(os.environ)))
    except StartError as exc:
        print(explain(exc), file=sys.stderr)  # noqa: T201 - the one place where the program speaks to its caller
        return 1


if __name__ == "__main__":
    sys.exit(main())
