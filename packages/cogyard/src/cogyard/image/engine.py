"""Hand an image to a Docker engine, where one answers on this machine. Spoken over its socket; no client needed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cogyard.image.archive import write_archive
from cogyard.image.errors import ImageError
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.reference import Reference

if TYPE_CHECKING:
    import httpx2

_CHUNK = 1 << 20
#: An engine that does not say hello within this many seconds is not waited for.
_HELLO = 3.0
#: Unpacking gigabytes of layers takes an engine minutes.
_LOAD = 1800.0


class EngineError(ImageError):
    """The Docker engine did not take the image."""

    code = "docker_engine"


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """A Docker engine that answers at a Unix socket."""

    socket: Path

    def load(self, store: ImageStore, image: StoredImage) -> bool:
        """Give the engine the image under its name; return False when it had exactly this one.

        Layers the engine has are not sent again. Raises EngineError.
        """
        with self._client(_LOAD) as client:
            known = self._known(client, image)
            if known is None:
                return False
            try:
                self._send(client, store, image, known)
            except EngineError:
                if not known:
                    raise
                self._send(client, store, image, frozenset())
        return True

    def _known(self, client: httpx2.Client, image: StoredImage) -> frozenset[str] | None:
        """Return which of the image's layers can be left out; None when the engine has the image."""
        response = client.get(f"/images/{Reference.parse(image.name).familiar}/json")
        if response.status_code != 200:
            return frozenset()
        there: dict[str, Any] = response.json()
        if there.get("Id") == image.manifest.config.digest:
            return None
        diff_ids = (there.get("RootFS") or {}).get("Layers") or []
        pairs = zip(image.manifest.layers, image.config.rootfs.diff_ids, strict=True)
        known = set()
        for (layer, diff_id), existing in zip(pairs, diff_ids, strict=False):
            if diff_id != existing:
                break  # an engine finds a layer by all those below it
            known.add(layer.digest)
        return frozenset(known)

    def _send(
        self, client: httpx2.Client, store: ImageStore, image: StoredImage, without: frozenset[str]
    ) -> None:
        import httpx2

        content = _piped(store, image, without)
        headers = {"Content-Type": "application/x-tar"}
        try:
            response = client.post("/images/load?quiet=1", content=content, headers=headers)
        except httpx2.HTTPError as error:
            raise EngineError(f"the Docker engine broke off: {error}") from None
        finally:
            content.close()
        problem = _problem(response.text) if response.status_code == 200 else response.text[:300]
        if problem is not None:
            raise EngineError(f"the Docker engine did not take the image: {problem}")

    def _client(self, seconds: float) -> httpx2.Client:
        return _client(self.socket, seconds)


def find_engine(environment: Mapping[str, str]) -> Engine | None:
    """Return the Docker engine of this machine, when there is one and it answers."""
    for socket in _sockets(environment):
        if not socket.is_socket() or not os.access(socket, os.W_OK):
            continue
        import httpx2

        try:
            with _client(socket, _HELLO) as client:
                if client.get("/_ping").status_code == 200:
                    return Engine(socket=socket)
        except httpx2.HTTPError:
            continue
    return None


def _client(socket: Path, seconds: float) -> httpx2.Client:
    import httpx2

    transport = httpx2.HTTPTransport(uds=str(socket))
    return httpx2.Client(transport=transport, base_url="http://engine", timeout=seconds, trust_env=False)


def _sockets(environment: Mapping[str, str]) -> list[Path]:
    named = environment.get("DOCKER_HOST")
    if named:
        # An engine on another machine is somebody's choice for running things, not for receiving every build.
        return [Path(named.removeprefix("unix://"))] if named.startswith("unix://") else []
    found = [Path("/var/run/docker.sock"), Path.home() / ".docker" / "run" / "docker.sock"]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        found.append(Path(runtime) / "docker.sock")
    return found


def _piped(store: ImageStore, image: StoredImage, without: frozenset[str]) -> Generator[bytes, None, None]:
    """Yield the archive as it is written, by a thread at the other end of a pipe."""
    read, write = os.pipe()
    failed: list[Exception] = []

    def fill(out: IO[bytes]) -> None:
        try:
            with out:
                write_archive(store, image, out, without=without)
        except BrokenPipeError:
            pass  # the engine has stopped reading; its answer says why
        except Exception as error:  # noqa: BLE001 - raised again by the reader
            failed.append(error)

    thread = threading.Thread(target=fill, args=(os.fdopen(write, "wb"),), daemon=True)
    thread.start()
    with os.fdopen(read, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    thread.join()
    if failed:
        raise failed[0]


def _problem(stream: str) -> str | None:
    for line in stream.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and "error" in message:
            return str(message["error"])[:300]
    return None
