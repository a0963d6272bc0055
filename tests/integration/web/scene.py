"""One of everything that pages show, all of it ada's and private."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cogyard.domain.deployments import Configuration
from cogyard.features.collections.ports import Collection
from cogyard.features.webhooks.endpoints import Wanted
from cogyard.instances.work import Outcome
from cogyard.testing.api import TRAINABLE_SCHEMA

from tests.integration.web.conftest import Site

HIDDEN = "stealth"
VERSION = "5c" * 32
ORGANIZATION = "acme"


@dataclass(kw_only=True)
class Scene:
    """A site, and the parts of addresses that name what is in it."""

    site: Site
    parts: dict[str, str] = field(default_factory=dict)
    rooms: dict[str, dict[str, str]] = field(default_factory=dict)

    def form(self, path: str) -> dict[str, str]:
        """Return what a page's form sends."""
        done = self.rooms["p"]["id"]
        return {key: str(value).replace("{done}", done) for key, value in FORMS.get(path, {}).items()}

    def address(self, path: str) -> str:
        """Return a page's address about what is ada's."""
        first, second = "/".join(path.split("/")[1:2]), "/".join(path.split("/")[1:3])
        if path == "/{owner}/{name}/examples/{id}/remove":
            first = "p"
        return path.format(**{**self.parts, **self.rooms.get(first, {}), **self.rooms.get(second, {})})


async def furnished(site: Site) -> Scene:
    """Return a site with one of everything."""
    services, ada = site.services, site.accounts["ada"]
    version = await site.version("ada", HIDDEN, visibility="private", schema=TRAINABLE_SCHEMA)
    done = await site.ran(version, {"text": "done"}, Outcome(status="succeeded", output="done"))
    await services.deployments.create(
        ada,
        "front",
        f"ada/{HIDDEN}",
        Configuration(version=version.id, hardware="cpu", min_instances=0, max_instances=1),
    )
    training = await services.predictions.create(
        ada, version=version, input={"steps": 1}, destination=f"ada/{HIDDEN}"
    )
    await services.predictions.cancel(ada, training.id)
    await services.organizations.create(ada, ORGANIZATION)
    endpoint = await services.endpoints.create(ada, Wanted(url="https://hooks.test/x"))
    await services.examples.add(ada, "ada", HIDDEN, done)
    root = await services.accounts.create("root", name="Root", is_admin=True)
    site.accounts["root"] = root
    await services.collections.put(root, Collection(slug="chosen", name="Chosen", description=""))
    await services.collections.add_model(root, "chosen", "ada", HIDDEN)
    await services.accounts.create_token(ada, "spare")
    (spare,) = await services.accounts.tokens(ada)
    return Scene(
        site=site,
        parts={
            "owner": "ada",
            "name": HIDDEN,
            "id": VERSION,
            "slug": "chosen",
            "secret": "nobody-gave-this",
        },
        rooms={
            "p": {"id": done},
            "deployments": {"name": "front"},
            "organizations": {"organization": ORGANIZATION, "username": "ada"},
            "account/api-tokens": {"id": str(spare.id)},
            "account/webhooks": {"id": endpoint.id},
        },
    )


#: What forms send, whole, so that only the caller decides; by the page's address.
FORMS: dict[str, dict[str, Any]] = {
    "/create": {"name": "made", "visibility": "private"},
    "/{owner}/{name}/run": {"version": VERSION, "input": '{"text": "x"}'},
    "/{owner}/{name}/snippets": {"version": VERSION, "input": "{}"},
    "/{owner}/{name}/settings": {"visibility": "private"},
    "/{owner}/{name}/delete": {"confirm": f"ada/{HIDDEN}"},
    "/account/act": {"account": ORGANIZATION},
    "/organizations/create": {"username": "founded", "name": "Founded"},
    "/organizations/{organization}/members": {"username": "bob", "role": "reader"},
    "/organizations/{organization}/settings": {"name": "Renamed"},
    "/organizations/{organization}/delete": {"confirm": ORGANIZATION},
    "/deployments/create": {
        "name": "second",
        "model": f"ada/{HIDDEN}",
        "version": VERSION,
        "hardware": "cpu",
        "min_instances": "0",
        "max_instances": "1",
    },
    "/deployments/{owner}/{name}/run": {"input": '{"text": "x"}'},
    "/deployments/{owner}/{name}/settings": {
        "version": VERSION,
        "hardware": "cpu",
        "min_instances": "0",
        "max_instances": "2",
    },
    "/deployments/{owner}/{name}/rollback": {"release": "1"},
    "/deployments/{owner}/{name}/delete": {"confirm": "ada/front"},
    "/{owner}/{name}/train": {
        "version": VERSION,
        "input": '{"steps": 1}',
        "destination": f"ada/{HIDDEN}",
    },
    "/{owner}/{name}/train/snippets": {"input": "{}"},
    "/{owner}/{name}/examples": {"prediction": "{done}"},
    "/{owner}/{name}/retention": {"keep": "30d"},
    "/{owner}/{name}/limits": {"predictions": "100"},
    "/deployments/{owner}/{name}/retention": {"keep": ""},
    "/account/retention": {"keep": "4w"},
    "/collections": {"slug": "fresh", "name": "Fresh"},
    "/collections/{slug}/edit": {"name": "Better"},
    "/collections/{slug}/models": {"model": f"ada/{HIDDEN}"},
    "/collections/{slug}/models/remove": {"model": f"ada/{HIDDEN}"},
    "/p/{id}/replay": {"event": "completed"},
    "/account/api-tokens": {"name": "more"},
    "/account/webhooks": {"url": "https://hooks.test/y", "enabled": "1"},
    "/account/webhooks/{id}": {"url": "https://hooks.test/z", "events": "completed"},
}
