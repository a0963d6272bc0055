"""What of the world a model in a sandbox reaches: files by the gate, and the network where both sides want it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cogyard.instances.sandbox import PreparedSandbox
from cogyard.testing.whole_images import make_whole_image

from tests.integration.instances.hostile import HOSTILE, Live, live_instance
from tests.sandboxes import sandbox_runtime, supported

pytestmark = pytest.mark.anyio

FILES = """
from cog import BasePredictor, Path

class Predictor(BasePredictor):
    def predict(self, file: Path, text: str = "") -> Path:
        out = Path("out.txt")
        out.write_text(file.name + ":" + file.read_text().upper() + text)
        return out
"""


async def test_there_is_no_network(live: Live) -> None:
    """The machine's loopback, where the platform listens, its abstract sockets and the world are out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0cogyard-test-abstract")
        unix.listen()
        code = f"""
found = []
for family, where in [
    (socket.AF_INET, ("127.0.0.1", {tcp.getsockname()[1]})),
    (socket.AF_INET, ("192.0.2.1", 80)),
    (socket.AF_UNIX, "\\0cogyard-test-abstract"),
]:
    with socket.socket(family) as s:
        s.settimeout(2)
        try:
            s.connect(where)
            found.append(str(where))
        except OSError:
            pass
found.append(sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]))
"""
        assert await live.found(code) == [["lo"]]


async def test_only_the_gate_is_behind_the_gate(live: Live) -> None:
    """Of the platform a model reaches files by secret paths; everything else answers 404."""
    code = """
import http.client
found = []
for method, path in [("GET", "/v1/models"), ("GET", "/"), ("POST", "/v1/predictions"), ("GET", "/fetch/x/y"),
                     ("DELETE", "/delivery/x"), ("GET", "/internal/outputs/x/y"), ("GET", "/delivery/../v1/models")]:
    c = http.client.HTTPConnection("127.0.0.1", 5001, timeout=5)
    c.putrequest(method, path, skip_host=False)
    c.endheaders()
    try:
        found.append(c.getresponse().status)
    except http.client.RemoteDisconnected:
        found.append(0)
"""
    statuses = await live.found(code)
    assert statuses[:6] == [404] * 6
    assert statuses[6] in {404, 500}  # It would be asked of the platform, which here answers nobody.


def _network() -> str:
    return str(Path("/proc/self/ns/net").readlink())


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"from elsewhere"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Serve a file to whoever asks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_files_come_and_go_by_the_gate(tmp_path: Path, layers: Path, elsewhere: str) -> None:
    """Inputs at addresses elsewhere are fetched for the model, texts stay texts, outputs reach the platform."""
    supported()
    taken: dict[str, bytes] = {}

    async def platform(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        taken[scope["path"]] = body
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"location", b"cogyard-file:x/y")]}
        )
        await send({"type": "http.response.body", "body": b""})

    image = make_whole_image(FILES)
    runtime = await sandbox_runtime(
        tmp_path, image, layers=layers, platform=platform, input_hosts=(elsewhere,)
    )
    reach = (await runtime.prepare(image.version)).reach
    url = f"http://{elsewhere}/folder/my%20notes.txt"
    async with live_instance(runtime, image) as live:
        inputs = reach.inputs({"file": url, "text": url})
        end = await live.end(inputs, output_file_prefix=reach.outputs("lease"))
        assert end.status == "succeeded", end.error
        refused = await live.end(reach.inputs({"file": "http://169.254.169.254/secrets"}))
    assert inputs["text"] == url
    assert taken == {"/internal/outputs/lease/out.txt": b"my notes.txt:FROM ELSEWHERE" + url.encode()}
    assert end.output == "cogyard-file:x/y"
    assert refused.status == "failed"
    assert "'169.254.169.254' is not on the public internet" in (refused.error or "")


async def test_the_network_is_for_those_who_ask_and_may(tmp_path: Path, layers: Path) -> None:
    """A model gets the machine's network only when it asks and the operator allows it."""
    supported()
    look = 'found = os.readlink("/proc/self/ns/net")'
    ours = _network()
    asking, silent = make_whole_image(HOSTILE, env=("COGYARD_NETWORK=1",)), make_whole_image(HOSTILE)
    for image, allowed, networked in ((asking, True, True), (asking, False, False), (silent, True, False)):
        runtime = await sandbox_runtime(
            tmp_path / f"{networked}{allowed}", image, layers=layers, network=allowed
        )
        prepared = await runtime.prepare(image.version)
        assert isinstance(prepared, PreparedSandbox)
        assert prepared.networked is networked
        async with live_instance(runtime, image) as live:
            assert (await live.found(look) == ours) is networked
