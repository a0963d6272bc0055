"""The platform behind real proxies with TLS, as the how-to configures them."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.testing.blobs import digest_of

from tests.certificates import make_certificate

HOW_TO = Path(__file__).parents[3] / "docs/how-to/put-behind-a-proxy.md"
NAME, INNER, FOLDER = "models.example.com", "127.0.0.1:8000", "/etc/ssl/models.example.com"


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _nginx(folder: Path, inner: str, port: int) -> list[str]:
    site = _block("nginx").replace(INNER, inner).replace("443", str(port)).replace(FOLDER, str(folder))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    process = f"pid {folder}/pid;\ndaemon off;\nerror_log {folder}/errors;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{process}http {{\naccess_log off;\n{temporary}{site}}}\n")
    return ["nginx", "-e", f"{folder}/errors", "-c", f"{folder}/nginx.conf"]


def _caddy(folder: Path, inner: str, port: int) -> list[str]:
    given = f"tls {folder}/fullchain.pem {folder}/privkey.pem\n"
    site = _block("caddyfile").replace(f"{NAME} {{\n", f"https://127.0.0.1:{port} {{\n{given}")
    options = f"{{\nadmin off\nauto_https off\nstorage file_system {folder}/caddy\n}}\n"
    (folder / "Caddyfile").write_text(options + site.replace(INNER, inner))
    return ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


@contextmanager
def _running(
    command: list[str], port: int, wait_for: Callable[[Callable[[], object]], None]
) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        assert process.poll() is None, f"{command[0]} ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(listens)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("kind", [_nginx, _caddy], ids=["nginx", "caddy"])
def test_everything_works_behind(
    kind: Callable[[Path, str, int], list[str]], stopped: Any, model: Any, tmp_path: Path
) -> None:
    """Addresses, cookies, a layer of more than a megabyte, a stream piece by piece, and who the client is."""
    program = kind.__name__.strip("_")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    folder, port = tmp_path / "proxy", _free_port()
    folder.mkdir()
    cert, key = make_certificate(folder, "site")
    cert.rename(folder / "fullchain.pem")
    key.rename(folder / "privkey.pem")
    base = f"https://127.0.0.1:{port}"
    told = stopped.start(
        *("--public-url", base, "--set", "trusted_proxies=127.0.0.1", "--set", "access_log=true")
    )
    inner = told["address"].partition("://")[2]
    with _running(kind(folder, inner, port), port, stopped.wait_for):
        trust = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        stopped.http = httpx2.Client(
            base_url=base, headers=dict(stopped.http.headers), verify=trust, timeout=60
        )
        forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http"}
        challenge = stopped.http.get("/v2/", headers={"authorization": "", **forged})
        assert f'realm="{base}/registry/token"' in challenge.headers["www-authenticate"]
        link = told["link"]
        assert link.startswith(f"{base}/signin/link/")
        signed_in = httpx2.post(
            link, data={"skip": "1"}, verify=trust, headers={"sec-fetch-site": "same-origin"}
        )
        assert "; secure" in signed_in.headers["set-cookie"].lower()
        layer = bytes(3 << 20)
        begun = stopped.http.post("/v2/tester/shout/blobs/uploads/", headers=forged)
        sent = stopped.http.put(begun.headers["location"], params={"digest": digest_of(layer)}, content=layer)
        assert sent.status_code == 201
        version = stopped.push(model("return 'x'"), "shout")
        done = stopped.create(version, wait=30)
        assert (done["status"], done["urls"]["get"].startswith(f"{base}/v1/predictions/")) == (
            "succeeded",
            True,
        )
        slow = stopped.create(stopped.push(model("import time; time.sleep(600)"), "slow"))
        accept = {"accept": "text/event-stream"}
        # Held back, the first line would come with the end, which does not come by itself.
        with stopped.http.stream("GET", slow["urls"]["stream"], headers=accept) as stream:
            lines = stream.iter_lines()
            assert next(lines) == ": hi"
            stopped.http.post(slow["urls"]["cancel"]).raise_for_status()
            assert "event: done" in list(lines)
    assert "client=203.0.113.9" not in stopped.log
