"""Credentials where docker keeps them: config.json, and the helpers it names."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cogyard.oci.authorization import Credential
from cogyard.oci.errors import OciError
from cogyard.oci.reference import DEFAULT_HOST

#: The name of Docker Hub's entry, for historical reasons an address.
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 20
CONFIG_NAME = "config.json"
#: What a helper says, by docker's protocol, when it knows nothing of a host; any other failure is one.
_NOTHING_KEPT = "credentials not found in native keychain"

_log = logging.getLogger(__name__)


class CredentialsError(OciError):
    """The file or the helper that keeps credentials does not work."""

    code = "credentials"


def config_path(environment: Mapping[str, str]) -> Path:
    """Return docker's config.json: in DOCKER_CONFIG, else in ~/.docker."""
    folder = environment.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / CONFIG_NAME


def find(host: str, path: Path) -> Credential | None:
    """Return what is kept for a registry, or None.

    Raises CredentialsError when the file cannot be read.
    """
    config = _read(path)
    helper = _helper(config, host)
    if helper is not None:
        return _from_helper(helper, _keys(host)[0])
    entries = config.get("auths")
    for key in _keys(host):
        entry = entries.get(key) if isinstance(entries, dict) else None
        if isinstance(entry, dict) and (found := _from_entry(entry)) is not None:
            return found
    return None


def keep(host: str, credential: Credential, path: Path) -> str:
    """Keep a credential for a registry: by the helper docker is configured with, else in the file (mode 0600).

    Returns where it is: the helper's name, or the path.
    """
    config = _read(path)
    helper = _helper(config, host)
    key = _keys(host)[0]
    if helper is not None:
        stored = {"ServerURL": key, "Username": credential.username, "Secret": credential.password}
        _run_helper(helper, "store", json.dumps(stored))
        return f"docker-credential-{helper}"
    entries = config.setdefault("auths", {})
    if not isinstance(entries, dict):
        raise CredentialsError(f"{path} is not docker's: `auths` is not an object")
    pair = f"{credential.username}:{credential.password}".encode()
    entries[key] = {"auth": base64.b64encode(pair).decode()}
    _write(path, config)
    return str(path)


def _keys(host: str) -> list[str]:
    if host == DEFAULT_HOST:
        return [_HUB_KEY, "docker.io", "index.docker.io", "registry-1.docker.io"]
    return [host, f"https://{host}", f"http://{host}", f"https://{host}/", f"https://{host}/v2/"]


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CredentialsError(
            f"{path} cannot be read: {why}", hint="Repair the file, or set DOCKER_CONFIG to another folder."
        ) from None
    if not isinstance(config, dict):
        raise CredentialsError(f"{path} is not docker's: it holds no object")
    return config


def _write(path: Path, config: dict[str, Any]) -> None:
    target = path.resolve()  # a link to the real file stays a link
    part = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(config, file, indent="\t")
            file.write("\n")
        part.replace(target)
    except OSError as error:
        raise CredentialsError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _helper(config: dict[str, Any], host: str) -> str | None:
    special = config.get("credHelpers")
    if isinstance(special, dict):
        for key in _keys(host):
            if isinstance(special.get(key), str):
                return str(special[key])
    general = config.get("credsStore")
    return general if isinstance(general, str) and general else None


def _from_helper(helper: str, key: str) -> Credential | None:
    try:
        answer = json.loads(_run_helper(helper, "get", key))
        username, password = answer["Username"], answer["Secret"]
    except CredentialsError as error:
        if _NOTHING_KEPT not in error.message:
            # What is public can be had all the same, so this is no reason to end.
            _log.warning("%s. %s is asked without a login.", error.message, key)
        return None
    except (ValueError, KeyError, TypeError):
        _log.warning(
            "docker-credential-%s gave no credential for %s. It is asked without a login.", helper, key
        )
        return None
    return Credential(username=str(username), password=str(password))


def _run_helper(helper: str, action: str, text: str) -> str:
    if not helper.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise CredentialsError(f"{helper!r} is not the name of a credential helper")
    name = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [name, action], input=text, capture_output=True, text=True, errors="replace",
            timeout=_HELPER_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else f"no answer within {_HELPER_SECONDS} s"
        raise CredentialsError(
            f"docker's configuration names the credential helper {name}, which does not run: {why}",
            hint=f"Install or start it, or take it out of `credsStore` and `credHelpers` in {CONFIG_NAME}.",
        ) from None
    if done.returncode != 0:
        raise CredentialsError(
            f"{name} {action} failed: {done.stdout.strip()[:200] or done.stderr.strip()[:200]}"
        )
    return done.stdout


def _from_entry(entry: dict[str, Any]) -> Credential | None:
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            username, colon, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return Credential(username=username, password=password.rstrip("\0")) if colon else None
    if isinstance(entry.get("username"), str) and isinstance(entry.get("password"), str):
        return Credential(username=entry["username"], password=entry["password"])
    return None
