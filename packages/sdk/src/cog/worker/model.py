"""The author's predictor, loaded and prepared: everything a prediction needs, decided once."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from cog.coerce import Arguments, Encoder
from cog.errors import CogError, LoadError, NotInSourceError, SchemaError
from cog.schema import openapi, read_object, read_source
from cog.schema.object_reader import find_function, is_async, written
from cog.schema.signature import Signature
from cog.traits import BATCH, CONCURRENCY, STREAMING


class Model:
    """An instance of the predictor with its function, its signature and its hooks."""

    __slots__ = (
        "_opened",
        "arguments",
        "batch",
        "concurrency",
        "encoder",
        "function",
        "generator",
        "healthcheck",
        "instance",
        "is_async",
        "iterator",
        "name",
        "schema_error",
        "signature",
        "streaming",
        "teardown",
    )

    def __init__(self, obj: Any, *, train: bool = False, environ: Mapping[str, str] | None = None) -> None:
        """Make an instance of a class, find its function and read its signature. Raises SchemaError, LoadError.

        A signature that can't be described is no error here: `schema_error` says why, and inputs pass as they come.
        """
        environ = os.environ if environ is None else environ
        self.instance = obj() if isinstance(obj, type) else obj
        self.function: Callable[..., Any] = find_function(self.instance, train=train)
        self.signature: Signature | None = None
        self.schema_error: str | None = None
        try:
            self.signature = read_object(self.instance, train=train)
        except SchemaError as error:
            self.schema_error = str(error)
        plain = written(self.function)
        self.name: str = plain.__name__
        self.is_async = is_async(plain)
        self.generator = inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(
            self.function
        )
        signature = self.signature
        self.arguments: Callable[[Mapping[str, Any]], dict[str, Any]] = (
            dict if signature is None else Arguments(signature)
        )
        self._opened = self.arguments.opened if isinstance(self.arguments, Arguments) else ()
        self.iterator = self.generator if signature is None else signature.iterator
        self.encoder = Encoder(None if signature is None else signature.output, name=self.name)
        self.streaming = bool(getattr(self.function, STREAMING, False))
        self.concurrency = self._concurrency(environ)
        #: The size and the seconds of a batch, or None for one prediction at a time.
        self.batch: tuple[int, float] | None = getattr(self.function, BATCH, None)
        if self.batch is not None and self.schema_error is not None:
            raise LoadError(f"@batched needs a signature that can be read: {self.schema_error}")
        self.healthcheck = self._hook("healthcheck")
        self.teardown = self._hook("teardown")

    def _hook(self, name: str) -> Callable[[], Any] | None:
        if inspect.isroutine(self.instance):
            return None
        found = getattr(self.instance, name, None)
        return found if callable(found) else None

    def _concurrency(self, environ: Mapping[str, str]) -> int:
        """Return how many predictions may run at a time: the operator's number, else the author's."""
        said = environ.get("COG_MAX_CONCURRENCY", "")
        if not self.is_async:
            return 1
        if said:
            if not said.isdigit() or int(said) < 1:
                raise LoadError(f"COG_MAX_CONCURRENCY is {said!r}; it has to be a whole number from 1 up")
            return int(said)
        return int(getattr(self.function, CONCURRENCY, None) or 1)

    def release(self, arguments: Mapping[str, Any]) -> None:
        """Close the files that were opened for a prediction."""
        for name in self._opened:
            value = arguments.get(name)
            for file in value if isinstance(value, list) else (value,):
                if file is not None:
                    file.close()

    def setup(
        self, environ: Mapping[str, str] | None = None
    ) -> tuple[Callable[..., Any] | None, dict[str, Any]]:
        """Return the author's setup and its arguments; None when there is none. Raises LoadError."""
        from cog.worker.weights import weights_argument

        setup = self._hook("setup")
        if setup is None:
            return None, {}
        return setup, weights_argument(setup, os.environ if environ is None else environ)

    def document(self, train_ref: str | None, project: str) -> tuple[Any, str | None]:
        """Return the OpenAPI document, or None and why there is none; whatever the training's code raises goes through.

        That code runs only where its source does not tell.
        """
        if self.signature is None:
            return None, self.schema_error
        try:
            train = _training(project, train_ref) if train_ref else None
            return openapi(self.signature, train), None
        except CogError as error:
            return None, str(error)


def _training(project: str, ref: str) -> Signature:
    try:
        return read_source(project, ref, train=True)
    except NotInSourceError:
        from cog.worker.load import load

        return read_object(load(ref, project), train=True)


def describe_python() -> str:
    """Return the running Python's version, such as "3.11.7"."""
    return ".".join(str(part) for part in sys.version_info[:3])
