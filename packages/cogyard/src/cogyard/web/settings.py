"""What the application needs to know of the operator's wishes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from cogyard.http.rates import Rates

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSettings:
    """At `app.state.web`. `session_secret` signs browser sessions and must stay the same between starts."""

    session_secret: str
    public_url: str | None = None
    #: Whose X-Forwarded-* headers are believed.
    trusted_proxies: tuple[Network, ...] = ()
    #: How often an account may call the API.
    rates: Rates = field(default_factory=Rates)
    #: Whether the platform itself answers by https.
    tls: bool = False
    #: What opens /metrics besides an administrator's own token; None: nothing does.
    metrics_token: str | None = None

    @property
    def https_only(self) -> bool:
        """Whether browsers may send the session only over TLS."""
        return self.tls or (self.public_url or "").startswith("https://")
