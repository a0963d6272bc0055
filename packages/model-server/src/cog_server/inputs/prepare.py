"""Put a prediction's input files into its folder, and name them in the input as the worker protocol does."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cog_server.errors import InputFetchError, InputInvalidError, Problem
from cog_server.inputs.cuts import Cut
from cog_server.inputs.data_urls import LARGE, parse
from cog_server.inputs.fetch import Fetcher
from cog_server.names import suffix_of
from cog_server.threads import in_thread

FILE_KEY = "$cog.file"


@dataclass(frozen=True)
class FilePlace:
    """A file in an input: the keys that lead to it, and what the caller gave."""

    path: tuple[str | int, ...]
    value: str | Path | Cut


async def prepare(
    value: Mapping[str, Any], places: list[FilePlace], folder: Path, fetcher: Fetcher
) -> Mapping[str, Any]:
    """Return `value` with every file fetched, in parallel.

    Raises InputInvalidError, naming each that could not be had.
    """
    numbers = itertools.count()
    tasks = [
        asyncio.ensure_future(_one(place, folder / f"input{next(numbers)}", fetcher)) for place in places
    ]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        # The folder is removed next, so nothing may still be writing there.
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    problems: list[Problem] = []
    prepared = copy.deepcopy(dict(value))
    for place, result in zip(places, results, strict=True):
        if isinstance(result, InputFetchError):
            problems.append(Problem(("body", "input", *place.path), result.message, "value_error.file"))
        elif isinstance(result, BaseException):
            raise result
        else:
            _put(prepared, place.path, {FILE_KEY: result})
    if problems:
        raise InputInvalidError(problems)
    return prepared


async def _one(place: FilePlace, folder: Path, fetcher: Fetcher) -> dict[str, str]:
    value = place.value
    if isinstance(value, Path):
        return _local(value)
    _make(folder)
    if isinstance(value, Cut):
        path = await in_thread(value.store, folder)
        return {"path": str(path), "name": path.name}
    if not value.startswith("data:"):
        path = await fetcher.fetch(value, folder)
        return {"path": str(path), "name": path.name, "url": value}
    path = (
        await in_thread(_store_data_url, value, folder)
        if len(value) > LARGE
        else _store_data_url(value, folder)
    )
    return {"path": str(path), "name": path.name}


def _local(path: Path) -> dict[str, str]:
    return {"path": str(path.absolute()), "name": path.name}


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700)


def _store_data_url(url: str, folder: Path) -> Path:
    parsed = parse(url)
    path = folder / f"input{suffix_of(parsed.media_type)}"
    path.write_bytes(parsed.data)
    return path


def _put(tree: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value
