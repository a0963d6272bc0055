"""Running a model by a client of one's own, under the names of the official client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from replicate.predictions import CreatePredictionParams

if TYPE_CHECKING:
    from replicate._run import Ref
    from replicate.client import Client

__all__ = ["async_run", "run"]


def run(
    client: Client,
    ref: Ref,
    input: Mapping[str, Any] | None = None,
    *,
    use_file_output: bool | None = True,
    **params: Unpack[CreatePredictionParams],
) -> Any:
    """Do as `client.run` does."""
    return client.run(ref, input, use_file_output=use_file_output, **params)


async def async_run(
    client: Client,
    ref: Ref,
    input: Mapping[str, Any] | None = None,
    *,
    use_file_output: bool | None = True,
    **params: Unpack[CreatePredictionParams],
) -> Any:
    """Do as `client.async_run` does."""
    return await client.async_run(ref, input, use_file_output=use_file_output, **params)
