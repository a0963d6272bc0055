"""The platform by https, with a certificate of the test's own, and behind a proxy."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.compose.certificate import valid_until
from cogyard.compose.tls import Certificate, CertificateError

from tests.certificates import make_certificate


def test_everything_works_by_https_and_models_reach_it_inside(stopped: Any, tmp_path: Path) -> None:
    """Pages, the registry, a prediction with a file in and out; the session's cookie is for https alone."""
    cert, key = make_certificate(tmp_path, "one")
    trust = ssl.create_default_context(cafile=str(cert))
    told = stopped.start("--tls-cert", str(cert), "--tls-key", str(key), verify=trust)
    assert told["address"].startswith("https://127.0.0.1:")
    signed_in = httpx2.post(told["link"], data={"skip": "1"}, verify=trust)
    assert "; secure" in signed_in.headers["set-cookie"]
    version = stopped.push(stopped.file_model(), "shout")
    done = stopped.run(version, image="data:text/plain;base64,aGk=")
    assert done["status"] == "succeeded", done
    assert done["output"].startswith(f"{told['address']}/delivery/")
    assert stopped.http.get(done["output"]).text == "HI"
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(told["address"].replace("https", "http"))


def test_the_command_line_reaches_it_on_this_machine(stopped: Any, tmp_path: Path) -> None:
    """`cog` speaks http to this machine until that is not answered; a CA of one's own counts there too."""
    cert, key = make_certificate(tmp_path, "one")
    trust = ssl.create_default_context(cafile=str(cert))
    told = stopped.start("--tls-cert", str(cert), "--tls-key", str(key), verify=trust)
    host = told["address"].removeprefix("https://")
    command = [str(Path(sys.executable).with_name("cog")), "login", host, "--token-stdin"]
    home = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker")}

    def login(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=told["token"],
            env={**os.environ, **home, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    refused, done = login(), login(SSL_CERT_FILE=str(cert))
    assert refused.returncode == 1
    assert "is not trusted" in refused.stderr
    assert done.returncode == 0, done.stderr


def test_a_client_that_keeps_its_connection_does_not_hold_up_the_end(stopped: Any, tmp_path: Path) -> None:
    """By TLS both sides say that they have ended; a pool's idle connection says nothing."""
    cert, key = make_certificate(tmp_path, "one")
    trust = ssl.create_default_context(cafile=str(cert))
    stopped.start("--tls-cert", str(cert), "--tls-key", str(key), verify=trust)
    assert stopped.http.get("/healthz").status_code == 200
    assert stopped.end(signal.SIGTERM) == 0
    assert "graceful shutdown exceeded" not in stopped.log


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    """New files are used for the next connection; files that do not fit leave the old ones in use."""
    cert, key = make_certificate(tmp_path, "old")
    shown = Certificate.read(cert, key)
    assert not shown.refresh(), "nothing has changed"
    other = make_certificate(tmp_path, "new")
    cert.write_bytes(other[0].read_bytes())
    assert not shown.refresh(), "the key is not there yet"
    key.write_bytes(other[1].read_bytes())
    assert shown.refresh()


def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path) -> None:
    """Missing, not PEM, another's key, a key with a passphrase: each a message, and nobody is asked on a terminal."""
    cert, key = make_certificate(tmp_path, "one")
    other = make_certificate(tmp_path, "two")[1]
    closed = make_certificate(tmp_path, "three", "-passout", "pass:secret")
    (tmp_path / "text").write_text("no certificate")
    for first, second, says in (
        (tmp_path / "nowhere", key, "tls_cert, .*nowhere, cannot be read"),
        (cert, tmp_path / "nowhere", "tls_key, .*nowhere, cannot be read"),
        (tmp_path / "text", key, "cannot be used|not a PEM file"),
        (cert, other, "does not belong to the certificate"),
        (*closed, "has a passphrase"),
    ):
        with pytest.raises(CertificateError, match=says):
            Certificate.read(first, second)


def test_only_a_trusted_proxy_says_how_the_platform_was_reached(stopped: Any) -> None:
    """Addresses in answers follow a trusted proxy's headers, and nobody else's; so do clients in the log."""
    said = {
        "x-forwarded-proto": "https",
        "x-forwarded-host": "models.example",
        "x-forwarded-for": "203.0.113.9",
    }

    def upload() -> str:
        answer = stopped.http.post("/v1/files", files={"content": ("a.txt", b"x")}, headers=said)
        place: str = answer.raise_for_status().json()["urls"]["get"]
        return place

    stopped.start("--set", "trusted_proxies=192.0.2.0/24", "--set", "access_log=true")
    assert upload().startswith("http://127.0.0.1:")
    stopped.end(2)
    assert "client=203.0.113.9" not in stopped.log
    stopped.start("--set", "trusted_proxies=127.0.0.0/8", "--set", "access_log=true")
    assert upload().startswith("https://models.example/v1/files/")
    stopped.wait_for(lambda: "path=/v1/files status=201 client=203.0.113.9\n" in stopped.log)


def test_the_end_of_a_certificate_is_read(tmp_path: Path) -> None:
    """As OpenSSL says it, in both forms that a date may have; of what is no certificate, nothing."""
    for days in (2, 365 * 40):
        cert, key = make_certificate(tmp_path, f"of-{days}-days", days=days)
        said = subprocess.run(
            ["openssl", "x509", "-in", str(cert), "-noout", "-enddate"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        end = datetime.strptime(said.removeprefix("notAfter="), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
        assert valid_until(cert.read_text()) == end
    assert valid_until(key.read_text()) is None
