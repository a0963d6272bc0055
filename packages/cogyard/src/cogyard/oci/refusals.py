"""What a registry's refusal means, and what the person can do about it. Pure."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from cogyard.oci.authorization import Credential
from cogyard.oci.errors import (
    BlobsLackingError,
    NotARegistryError,
    RegistryDeniedError,
    RegistryFailedError,
    RegistryNotFoundError,
    RegistryRefusedError,
)
from cogyard.oci.exchange import Answer

_MOST = 300
#: The protocol's code for a manifest that names what the repository does not have.
_LACKING = "MANIFEST_BLOB_UNKNOWN"


class _Error(msgspec.Struct):
    code: Any = None
    message: Any = None
    detail: Any = None


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


def refuse(answer: Answer, what: str, host: str, credential: Credential | None) -> NoReturn:
    """Raise what an answer of 400 and above says about `what`."""
    words = said(answer)
    if any(each.code == _LACKING for each in _errors(answer)):
        raise BlobsLackingError(
            f"the registry {host} lacks parts of {what}{words}",
            hint="Push again: they may have been removed while they were pushed.",
            status=answer.status,
        )
    if answer.status == 401 and credential is None:
        raise RegistryRefusedError(
            f"the registry {host} wants to know who you are",
            hint=f"Run `cog login {host}` first.",
            status=401,
        )
    if answer.status == 401:
        raise RegistryRefusedError(
            f"the registry {host} does not accept the kept credentials of {credential_name(credential)}{words}",
            hint=f"Run `cog login {host}` with a token that is valid.",
            status=401,
        )
    if answer.status == 403:
        raise RegistryDeniedError(
            f"the registry {host} does not allow this for {what}{words}",
            hint=None if _says_enough(answer) else "Push to a name under your own account, or ask its owner.",
            status=403,
        )
    if answer.status == 404:
        raise RegistryNotFoundError(
            f"the registry {host} has no {what}{words}",
            hint="Check the name; a private one is shown only to those who are logged in.",
            status=404,
        )
    if answer.status == 413:
        raise RegistryFailedError(f"the registry {host} does not take so much for {what}{words}", status=413)
    if answer.status == 507:
        raise RegistryFailedError(f"the registry {host} has no room left{words}", status=507)
    if not is_protocol(answer):
        raise NotARegistryError(
            f"what answers at {host} is not a registry: status {answer.status} for {what}",
            status=answer.status,
        )
    raise RegistryFailedError(
        f"the registry {host} answered {answer.status} for {what}{words}", status=answer.status
    )


def said(answer: Answer) -> str:
    """Return the registry's own words, cleaned and bounded, to append; empty when it said nothing."""
    words = "; ".join(
        each.message if isinstance(each.message, str) and each.message else str(each.code)
        for each in _errors(answer)[:3]
        if isinstance(each.message, str) or isinstance(each.code, str)
    )
    clean = "".join(character for character in words if character.isprintable())
    return f": {clean[:_MOST]}" if clean else ""


def _errors(answer: Answer) -> list[_Error]:
    try:
        return msgspec.json.decode(answer.body, type=_Errors).errors
    except (msgspec.MsgspecError, RecursionError):
        return []


def _says_enough(answer: Answer) -> bool:
    """Whether its own words name what to do: of a quota, and of a platform of ours that names whom it refuses."""
    details = [each.detail for each in _errors(answer) if isinstance(each.detail, dict)]
    return any("quota" in each or "account" in each for each in details)


def is_protocol(answer: Answer) -> bool:
    """Whether the answer looks like the distribution protocol's."""
    return "docker-distribution-api-version" in answer.headers or bool(said(answer))


def credential_name(credential: Credential | None) -> str:
    """Return who the credential is for, never the secret."""
    return credential.username if credential is not None and credential.username else "this machine"
