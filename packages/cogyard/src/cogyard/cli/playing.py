"""The page of `cog playground`: one form made from the model's schema, and what the model gives.

Theory of operation: the page is this machine's alone. It speaks to this program only, which runs predictions on a model
in process or behind HTTP and passes on what happens as server-sent events. Files that a person picks, and those that
the model makes, are kept in the command's own folder under names that cannot be guessed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from cog_server.embedded import Completed, Log, Metric, Output, OutputFile
from cog_server.errors import InputInvalidError, ServerError
from cog_server.names import safe_name
from cog_server.validation import InputSchema
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from cogyard.errors import CogyardError
from cogyard.http import sse
from cogyard.web import forms
from cogyard.web.assets import Assets
from cogyard.web.origin import SAFE_METHODS, is_same_origin
from cogyard.web.rendering import BLANK_FILE, HEADERS, TEMPLATES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from cogyard.cli.running import RunningModel

PAGE = Path(__file__).with_name("page")
#: What a person may put into one field, and what the whole form may hold.
MAX_FILE = 100 << 20
MAX_BODY = 110 << 20
_DELIVERY = "/delivery/"
OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

Describe = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A file that a person picked or the model made."""

    path: Path
    name: str
    media_type: str


@dataclass(kw_only=True)
class Playground:
    """The page over one model. `hosts` are the names it is reached by; None takes any."""

    model: RunningModel
    name: str
    scratch: Path
    describe: Describe
    hosts: frozenset[str] | None = OWN_HOSTS
    _files: dict[str, Kept] = field(default_factory=dict)

    def app(self) -> ASGIApp:
        """Return the application."""
        self._assets = Assets()
        self._templates = Environment(
            loader=FileSystemLoader([PAGE, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(asset=self._assets.url, blank_file=BLANK_FILE, said_of=_said_of)
        self._templates.filters.update(number=forms.number_text)
        application = Starlette(
            routes=[
                Route("/", self._page),
                Route("/playground.js", self._script),
                Route("/predictions", self._predict, methods=["POST"]),
                Route("/v1/files", self._upload, methods=["POST"]),
                Route("/delivery/{token}/{name}", self._deliver),
                Mount("/static", self._assets),
            ]
        )
        return _Guarded(application, self.hosts)

    async def _page(self, _request: Request) -> Response:
        try:
            document = await self.describe()
        except (CogyardError, ServerError) as error:
            document, waiting = {}, error.message
        else:
            waiting = "" if document else "The model is starting."
        output = forms.output_schema(document)
        html = self._templates.get_template("playground.html").render(
            name=self.name,
            waiting=waiting,
            widgets=forms.widgets(document),
            texts=output.get("x-cog-array-display") == "concatenate",
        )
        return HTMLResponse(html, headers=HEADERS)

    async def _script(self, _request: Request) -> Response:
        return FileResponse(
            PAGE / "playground.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"}
        )

    async def _upload(self, request: Request) -> Response:
        try:
            async with request.form(max_files=1, max_fields=1) as form:
                content = form.get("content")
                if content is None or isinstance(content, str):
                    return _refusal(422, "the file stands in the part `content`")
                if (content.size or 0) > MAX_FILE:
                    return _refusal(413, f"files may have {MAX_FILE} bytes")
                token, path = self._place()
                with path.open("wb") as file:
                    while chunk := await content.read(1 << 20):
                        file.write(chunk)
                name = safe_name(content.filename or "", "file")
                media_type = content.content_type or "application/octet-stream"
        except ClientDisconnect:
            return Response(status_code=499)
        self._files[token] = Kept(path=path, name=name, media_type=media_type)
        base = str(request.base_url).rstrip("/")
        return JSONResponse({"urls": {"get": f"{base}{_DELIVERY}{token}/{quote(name)}"}}, 201)

    async def _deliver(self, request: Request) -> Response:
        kept = self._files.get(request.path_params["token"])
        if kept is None:
            return _refusal(404, "there is no such file")
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        return FileResponse(kept.path, media_type=kept.media_type, headers=headers)

    async def _predict(self, request: Request) -> Response:
        try:
            if int(request.headers.get("content-length") or 0) > MAX_BODY:
                return _refusal(413, f"an input may have {MAX_BODY} bytes")
            body = json.loads(await request.body())
            values = {str(name): self._inward(value) for name, value in body["input"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _refusal(400, 'the body is not {"input": {…}}')
        except ClientDisconnect:
            return Response(status_code=499)
        try:
            InputSchema.compile(self.model.schema).check(values)
        except InputInvalidError as error:
            return JSONResponse({"detail": _problems(error)}, 422)
        return StreamingResponse(
            self._events(values), media_type=sse.CONTENT_TYPE, headers={"Cache-Control": "no-cache"}
        )

    async def _events(self, values: Mapping[str, Any]) -> AsyncGenerator[bytes]:
        predicting = cast("AsyncGenerator[Any]", self.model.predict(values))
        number = 0
        try:
            async with aclosing(predicting) as events:
                async for event in events:
                    named = self._outward(event)
                    if named is not None:
                        number += 1
                        yield sse.encode(named[0], json.dumps(named[1]), number)
        except InputInvalidError as error:
            yield sse.encode("refused", json.dumps({"detail": _problems(error)}), number + 1)
        except (CogyardError, ServerError) as error:
            end = {"status": "failed", "output": None, "error": error.message}
            yield sse.encode("completed", json.dumps(end), number + 1)

    def _outward(self, event: Any) -> tuple[str, dict[str, Any]] | None:
        if isinstance(event, Log):
            return "log", {"data": event.data}
        if isinstance(event, Metric):
            return "metric", {"name": event.name, "value": event.value}
        if isinstance(event, Output):
            return "output", {"chunk": self._with_addresses(event.chunk), "index": event.index}
        if isinstance(event, Completed):
            return "completed", {
                "id": event.id,
                "status": event.status,
                "output": self._with_addresses(event.output),
                "error": event.error,
                "logs": event.logs,
                "metrics": dict(event.metrics),
            }
        return None

    def _with_addresses(self, value: Any) -> Any:
        """Keep the files in a value, and put their addresses in their place."""
        if isinstance(value, OutputFile):
            import shutil

            token, path = self._place()
            shutil.copyfile(value.path, path)
            name = safe_name(value.name, "output")
            self._files[token] = Kept(path=path, name=name, media_type=value.media_type)
            return f"{_DELIVERY}{token}/{quote(name)}"
        if isinstance(value, dict):
            return {key: self._with_addresses(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._with_addresses(one) for one in value]
        return value

    def _inward(self, value: Any) -> Any:
        """Put the files that the page has sent in the place of their addresses."""
        if isinstance(value, str) and _DELIVERY in value[:200]:
            token = urlsplit(value).path.removeprefix(_DELIVERY).partition("/")[0]
            kept = self._files.get(token)
            return value if kept is None else kept.path
        if isinstance(value, dict):
            return {key: self._inward(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._inward(one) for one in value]
        return value

    def _place(self) -> tuple[str, Path]:
        token = secrets.token_urlsafe(24)
        folder = self.scratch / "page"
        folder.mkdir(exist_ok=True)
        return token, folder / secrets.token_hex(8)


class _Guarded:
    """Refuse requests that other sites' pages make, and names that are not this machine's (DNS rebinding)."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
            if self._hosts is not None and host not in self._hosts:
                await _refusal(421, f"this page is not reached as {host!r:.100}")(scope, receive, send)
                return
            own = frozenset({str(request.base_url).rstrip("/")})
            if request.method not in SAFE_METHODS and not is_same_origin(request.headers, bases=own):
                await _refusal(403, "another site's page may not do this")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _refusal(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)


def _problems(error: InputInvalidError) -> list[dict[str, Any]]:
    return [
        {
            "loc": list(one.loc) if one.loc[:1] == ("body",) else ["body", "input", *one.loc],
            "msg": one.message,
        }
        for one in error.problems
    ]


def _said_of(field: forms.Widget) -> str:
    """Return what a field says below itself."""
    shown = field.kind not in {forms.Kind.CHECKBOX, forms.Kind.PASSWORD, forms.Kind.FILE}
    default = f"default: {field.default_text}" if shown and field.default_text else ""
    return ", ".join(part for part in (field.limits, default[:80]) if part)
