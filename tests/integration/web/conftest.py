"""The pages over the real services and a real database, without a socket and without instances."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.blobs.local import LocalBlobs
from cogyard.domain.values import Account, Version
from cogyard.features.services import Services
from cogyard.features.world import World
from cogyard.instances.work import Outcome
from cogyard.testing.api import make_services
from cogyard.testing.database import open_database
from cogyard.web.application import create_application
from cogyard.web.settings import WebSettings

BASE = "http://cogyard.test"
PASSWORD = "correct horse battery"

TEXT_SCHEMA: Mapping[str, Any] = {
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "description": "Whom to greet", "x-order": 0},
                    "key": {
                        "type": "string",
                        "format": "password",
                        "writeOnly": True,
                        "x-cog-secret": True,
                        "default": "",
                        "x-order": 1,
                    },
                },
                "required": ["text"],
            },
            "Output": {"type": "string"},
        }
    }
}


@dataclass(kw_only=True)
class Site:
    """The application, its services and its accounts."""

    app: Any
    services: Services
    accounts: dict[str, Account] = field(default_factory=dict)

    def visitor(self) -> httpx2.AsyncClient:
        """Return a browser that nobody has signed in with."""
        transport = httpx2.ASGITransport(app=self.app)
        headers = {"Sec-Fetch-Site": "same-origin"}
        return httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers)

    async def signed_in(self, username: str) -> httpx2.AsyncClient:
        """Return a browser in which this account is signed in."""
        browser = self.visitor()
        # By a link: a password costs 50 ms of CPU each time, on purpose.
        secret = await self.services.accounts.create_login_link(self.accounts[username])
        answer = await browser.post(f"/signin/link/{secret}", data={"skip": "1"})
        assert answer.status_code == 303
        return browser

    async def version(
        self, owner: str, name: str, *, visibility: str = "public", schema: Mapping[str, Any] = TEXT_SCHEMA
    ) -> Version:
        """Make a model with one version."""
        model = await self.services.models.create(self.accounts[owner], owner, name, visibility=visibility)
        return await self.services.versions.add(
            model,
            digest="sha256:" + "5c" * 32,
            labels={},
            openapi_schema=schema,
            cog_version="0.1.0",
            size=1234,
        )

    async def ran(self, version: Version, input: Mapping[str, Any], outcome: Outcome, by: str = "ada") -> str:
        """Make a prediction and end it so, as an instance would; return its id."""
        made = await self.services.predictions.create(
            self.accounts[by], version=version, input=input, source="web"
        )
        queue = self.services.predictions.queue
        claim = await queue.claim(version.id, instance="test")
        assert claim is not None
        await queue.started(made.id, claim.lease_token)
        await queue.finished(made.id, claim.lease_token, outcome)
        return made.id


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Return a platform with two accounts, ada and bob, and an application over it."""
    with open_database(tmp_path / "cogyard.db") as database:
        blobs = LocalBlobs.open(tmp_path / "files")
        services = make_services(database, blobs, World())
        app = create_application(services, WebSettings(session_secret="s" * 32))
        site = Site(app=app, services=services)
        for name in ("ada", "bob"):
            site.accounts[name] = await services.accounts.create(name, name=name.title())
        yield site
        blobs.close()


def text_of(html: str) -> str:
    """Return what a page says, without its elements."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
