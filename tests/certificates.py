"""Certificates that a test makes for itself, with the openssl of the machine."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(
    folder: Path, name: str, *key_options: str, names: str = "IP:127.0.0.1", days: int = 2
) -> tuple[Path, Path]:
    """Make a certificate for `names`, of which one is enough, and its key, which no password guards unless asked."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(key), "-out", str(cert), *(key_options or ("-nodes",))),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
