"""Who may use the server when the operator has set a token."""

from __future__ import annotations

import hmac

Headers = list[tuple[bytes, bytes]]
_SCHEMES = (b"bearer", b"token")


class Guard:
    """Compare a request's token with the operator's, in a time that tells nothing."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def allows(self, headers: Headers) -> bool:
        """Say whether `Authorization: Bearer …` (or `Token …`) names the token."""
        for name, value in headers:
            if name == b"authorization":
                scheme, _, given = value.partition(b" ")
                return scheme.lower() in _SCHEMES and hmac.compare_digest(given.strip(), self._token)
        return False
