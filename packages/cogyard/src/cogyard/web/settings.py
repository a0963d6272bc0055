"""What the application needs to know of the operator's wishes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSettings:
    """At `app.state.web`. `session_secret` signs browser sessions and must stay the same between starts."""

    session_secret: str
    public_url: str | None = None
    trusts_proxy: bool = False

    @property
    def https_only(self) -> bool:
        """Whether browsers may send the session only over TLS."""
        return (self.public_url or "").startswith("https://")
