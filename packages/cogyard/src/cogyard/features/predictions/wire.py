"""A prediction on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cogyard.domain.ids import streams_files
from cogyard.domain.values import Kind, Prediction, Status
from cogyard.domain.waiting import Place
from cogyard.features.predictions.moves import HIDDEN
from cogyard.http.addresses import Addresses
from cogyard.http.moments import written


def prediction_json(
    prediction: Prediction, addresses: Addresses, *, knows_aborted: bool = False
) -> dict[str, Any]:
    """Shape a prediction as clients know it.

    `knows_aborted` is for clients that know that status; to others an aborted prediction is canceled, because old
    ones fail on the word or wait for ever (wire gotcha 14).
    """
    status = prediction.status
    if status is Status.ABORTED and not knows_aborted:
        status = Status.CANCELED
    shaped: dict[str, Any] = {
        "id": prediction.id,
        "model": prediction.model,
        "version": prediction.version,
        "input": addresses.show(_shown_input(prediction)),
        "logs": prediction.logs,
        "output": addresses.show(prediction.output),
        "data_removed": prediction.data_removed,
        "error": prediction.error,
        "status": status.value,
        "source": prediction.source,
        "created_at": written(prediction.created_at),
        "started_at": written(prediction.started_at),
        "completed_at": written(prediction.completed_at),
        "urls": urls(prediction, addresses),
    }
    if prediction.deployment is not None:
        shaped["deployment"] = prediction.deployment
    if prediction.asked_by is not None:
        shaped["asked_by"] = prediction.asked_by
    if prediction.deadline is not None:
        shaped["deadline"] = written(prediction.deadline)
    if prediction.status.terminal:
        shaped["metrics"] = prediction.metrics
    if prediction.webhook is not None:
        shaped["webhook"] = prediction.webhook
        shaped["webhook_events_filter"] = list(prediction.webhook_events)
    return shaped


def example_json(prediction: Prediction, addresses: Addresses) -> dict[str, Any]:
    """Shape a prediction for whoever sees the model it is an example of: without who asked, and whom it was told to."""
    shaped = prediction_json(prediction, addresses)
    return {key: value for key, value in shaped.items() if not key.startswith(("webhook", "asked_by"))}


def place_json(place: Place) -> dict[str, Any]:
    """Shape where a prediction waits and why; the hosted service does not tell."""
    shaped: dict[str, Any] = {"position": place.position}
    if place.reason is not None:
        shaped.update(reason=place.reason.cause.value, detail=place.reason.detail)
    return shaped


def urls(prediction: Prediction, addresses: Addresses) -> dict[str, str]:
    """Return where a prediction is seen, canceled and watched.

    One client makes files of what comes from a path that begins with /v1/files/, and only of that.
    """
    room = "trainings" if prediction.kind is Kind.TRAINING else "predictions"
    one = addresses.api(f"/{room}/{prediction.id}")
    token = prediction.stream_token
    stream = f"/files/{token}/stream" if streams_files(token) else f"/streams/{token}"
    return {
        "web": addresses.web(f"/p/{prediction.id}"),
        "get": one,
        "cancel": f"{one}/cancel",
        "stream": addresses.api(stream),
    }


def _shown_input(prediction: Prediction) -> Mapping[str, Any]:
    if not prediction.secret_inputs:
        return prediction.input
    return {
        key: HIDDEN if key in prediction.secret_inputs else value for key, value in prediction.input.items()
    }
