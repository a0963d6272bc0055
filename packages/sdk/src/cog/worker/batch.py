"""Predictions that run together: one call of the author's function for all of them, and one answer for each.

Theory of operation. The server sends the predictions of a batch one after another; all but the last say `more`. Each
has its own arguments and may fail on its own before the call (an input that does not fit) and after it (an output that
can't be written, an exception in its place of the list). Only the call itself is shared: what it raises ends them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cog.errors import CogError, OutputError
from cog.metrics import Metrics
from cog.scope import BatchScope, Scope
from cog.worker import frames, messages
from cog.worker.logs import STDERR
from cog.worker.model import Model
from cog.worker.report import message, print_traceback, traceback_text

Listener = Callable[[str, Any, str], None]


class Item:
    """One prediction of a batch. `answer` is its terminal frame, once there is one."""

    __slots__ = ("answer", "arguments", "folder", "request", "scope", "tag")

    def __init__(self, tag: int, request: dict[str, Any], listener: Listener) -> None:
        self.tag = tag
        self.request = request
        self.folder: str = request["dir"]
        self.scope = Scope(Metrics(listener), request.get("context"), self.folder, request.get("trace"))
        self.arguments: dict[str, Any] = {}
        self.answer: bytes | None = None


class Batch:
    """The predictions of one call."""

    def __init__(self, model: Model, items: Sequence[Item]) -> None:
        self._model = model
        self.items = tuple(items)

    @property
    def waiting(self) -> list[Item]:
        """Return the items that have no answer yet."""
        return [item for item in self.items if item.answer is None]

    def prepare(self) -> tuple[list[Item], dict[str, list[Any]]]:
        """Return the items whose inputs fit, and the lists to call the function with."""
        for item in self.waiting:
            try:
                item.arguments = self._model.arguments(item.request["input"])
            except CogError as error:
                item.answer = messages.failed(item.tag, message(error), 0.0)
            except BaseException as error:  # noqa: BLE001 - a class of the author's refuses its fields
                self._fail(item, error, 0.0)
        called = self.waiting
        names = called[0].arguments if called else ()
        return called, {name: [item.arguments[name] for item in called] for name in names}

    def scope(self, called: Sequence[Item]) -> BatchScope:
        """Return the surroundings of the call."""
        return BatchScope(tuple(item.scope for item in called))

    def answer(self, called: Sequence[Item], result: Any, elapsed: float) -> None:
        """Give each item that was called its part of the result."""
        name = self._model.name
        try:
            outputs = self._outputs(result, len(called), name)
        except OutputError as error:
            self.fail(error, elapsed)
            return
        for item, output in zip(called, outputs, strict=True):
            if item.answer is not None:
                continue
            if isinstance(output, BaseException):
                self._fail(item, output, elapsed)
                continue
            try:
                raw, flags = self._model.encoder.encode(output, item.folder)
                item.answer = frames.encode_succeeded(item.tag, elapsed, flags, raw)
            except (CogError, frames.FrameError) as error:
                item.answer = messages.failed(item.tag, message(error), elapsed)
            except BaseException as error:  # noqa: BLE001 - a broken coder of the author's
                self._fail(item, error, elapsed)

    def fail(self, error: BaseException, elapsed: float) -> None:
        """End every item that has no answer with what the call raised."""
        for item in self.waiting:
            if isinstance(error, CogError):
                item.answer = messages.failed(item.tag, message(error), elapsed)
            else:
                self._fail(item, error, elapsed)

    def cancel(self, tag: int, elapsed: float) -> None:
        """End one item as canceled."""
        for item in self.items:
            if item.tag == tag and item.answer is None:
                item.answer = messages.canceled(tag, elapsed)

    def release(self) -> None:
        """Close the files that were opened for the items."""
        for item in self.items:
            self._model.release(item.arguments)

    def _fail(self, item: Item, error: BaseException, elapsed: float) -> None:
        log = b""
        if len(self.items) == 1:
            print_traceback(error)
        else:  # the worker's own output would be nobody's
            log = frames.encode_log(item.tag, STDERR, traceback_text(error))
        item.answer = log + messages.failed(item.tag, message(error), elapsed)

    @staticmethod
    def _outputs(result: Any, count: int, name: str) -> list[Any]:
        try:
            outputs = list(result)
        except TypeError:
            raise OutputError(f"{name}() has to return a list, because it is @batched") from None
        if len(outputs) != count or isinstance(result, (str, bytes, dict)):
            raise OutputError(
                f"{name}() was given lists of {count} and returned {len(outputs)}; it has to return one output for each"
            )
        return outputs
