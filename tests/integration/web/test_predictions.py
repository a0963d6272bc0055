"""Lists of predictions, deleting one, why one waits, and whom it was told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cogyard.domain.deployments import Configuration
from cogyard.domain.waiting import Cause, Reason
from cogyard.features.webhooks.endpoints import Wanted
from cogyard.features.webhooks.ports import Delivery
from cogyard.http.rates import Rates
from cogyard.instances.work import Outcome
from cogyard.web.application import create_application
from cogyard.web.settings import WebSettings

from tests.integration.web.conftest import Site, text_of

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script>"


async def test_the_list_is_filtered(site: Site) -> None:
    """By status, source and model, alone and together; an unknown filter is none."""
    hello, other = await site.version("ada", "hello"), await site.version("ada", "other")
    await site.ran(hello, {"text": "good"}, Outcome(status="succeeded", output="x"))
    await site.ran(hello, {"text": "bad"}, Outcome(status="failed", error="no"))
    await site.services.predictions.create(site.accounts["ada"], version=other, input={"text": "waits"})
    ada = await site.signed_in("ada")

    async def listed(query: str) -> set[str]:
        text = text_of((await ada.get(f"/predictions?{query}")).text)
        return {word for word in ("good", "bad", "waits") if f" {word} " in f" {text} "}

    assert await listed("") == {"good", "bad", "waits"}
    assert await listed("status=failed") == {"bad"}
    assert await listed("status=succeeded") == {"good"}
    assert await listed("status=running") == {"waits"}
    assert await listed("source=api") == {"waits"}
    assert await listed("source=web&status=failed") == {"bad"}
    assert await listed("model=Ada/Hello") == {"good", "bad"}
    assert await listed("status=nonsense&source=nonsense") == {"good", "bad", "waits"}
    empty = await ada.get(f"/predictions?model={HOSTILE}")
    assert "No prediction of yours is like that" in empty.text
    assert "<script>alert" not in empty.text


async def test_the_next_page_keeps_the_filter(site: Site) -> None:
    """The rest of a filtered list is filtered too."""
    version = await site.version("ada", "hello")
    for number in range(52):
        await site.services.predictions.create(
            site.accounts["ada"], version=version, input={"text": f"n{number}"}
        )
    ada = await site.signed_in("ada")
    first = (await ada.get("/predictions?status=running&model=ada/hello")).text
    address = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert ("status=running" in address, "model=ada" in address) == (True, True)
    assert (await ada.get(address)).text.count("prediction-row") == 2


async def test_deleting_a_prediction(site: Site) -> None:
    """One that has ended is gone with its page; one that runs is kept, and its page has no such button."""
    version = await site.version("ada", "hello")
    done = await site.ran(version, {"text": "x"}, Outcome(status="succeeded", output="x"))
    waits = await site.services.predictions.create(site.accounts["ada"], version=version, input={"text": "y"})
    ada = await site.signed_in("ada")
    assert "Delete prediction" in (await ada.get(f"/p/{done}")).text
    assert "Delete prediction" not in (await ada.get(f"/p/{waits.id}")).text
    assert (await ada.post(f"/p/{waits.id}/delete")).status_code == 409
    assert (await ada.post(f"/p/{done}/delete")).headers["location"] == "/predictions?deleted=1"
    assert (await ada.get(f"/p/{done}")).status_code == 404


async def test_why_a_prediction_waits(site: Site) -> None:
    """Its place in the queue and the reason are on its card, as the fleet said it."""
    version = await site.version("ada", "hello")
    reason = Reason(cause=Cause.FULL, detail=f"All 2 places are taken {HOSTILE}")
    predictions = replace(site.services.predictions, why=lambda _deployable: reason)
    site.app.state.services = replace(site.services, predictions=predictions)
    made = [
        await predictions.create(site.accounts["ada"], version=version, input={"text": str(number)})
        for number in range(2)
    ]
    ada = await site.signed_in("ada")
    for place, prediction in zip(("Next in its queue.", "Number 2 in its queue."), made, strict=True):
        page = (await ada.get(f"/p/{prediction.id}/card")).text
        assert place in page
        assert "All 2 places are taken" in page
        assert f"/ada/hello/instances?version={version.id}" in page
        assert "<script>alert" not in page


def tried(prediction: str, account: int, **more: Any) -> Delivery:
    """Return a try that failed."""
    values: Mapping[str, Any] = {
        "account_id": account,
        "prediction_id": prediction,
        "message_id": "msg_x-completed",
        "event": "completed",
        "attempt": 1,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "milliseconds": 12,
        "problem": f"it cannot be reached {HOSTILE}",
        **more,
    }
    return Delivery(**values)


async def told(site: Site) -> str:
    """Make a prediction with a webhook that has ended and could not be told; return its id."""
    version = await site.version("ada", "hello")
    made = await site.services.predictions.create(
        site.accounts["ada"], version=version, input={"text": "x"}, webhook="https://hooks.test/mine"
    )
    queue = site.services.predictions.queue
    claim = await queue.claim(version.id, instance="test")
    assert claim is not None
    await queue.finished(made.id, claim.lease_token, Outcome(status="succeeded", output="x"))
    await site.services.calls.log.note(tried(made.id, site.accounts["ada"].id))
    return made.id


async def test_whom_a_prediction_was_told_to(site: Site) -> None:
    """Every try with its target and answer, what waits, and a button to tell it again; to its author alone."""
    made = await told(site)
    ada = await site.signed_in("ada")
    for path in (f"/p/{made}", "/account/webhooks"):
        page = (await ada.get(path)).text
        assert text_of(page).count("https://hooks.test/mine") >= 2
        assert "no answer" in page
        assert "12 ms" in page
        assert "due now" in text_of(page)
        assert "<script>alert" not in page
    busy = await ada.post(f"/p/{made}/replay", data={"event": "completed"})
    assert (busy.status_code, "waiting to be told already" in busy.text) == (409, True)
    assert (
        await (await site.signed_in("bob")).post(f"/p/{made}/replay", data={"event": "completed"})
    ).status_code == 404
    bob = await (await site.signed_in("bob")).get("/account/webhooks")
    assert "hooks.test" not in bob.text


async def test_who_has_not_heard_is_not_told_again(site: Site) -> None:
    """An endpoint that was there, a webhook of the prediction's own, and one made after the end, which never heard."""
    ada, mine = await site.signed_in("ada"), site.accounts["ada"]
    there = Wanted(url="https://hooks.test/there", enabled=True)
    await site.services.endpoints.create(mine, there)
    await site.services.endpoints.create(
        mine, replace(there, url="https://hooks.test/chunks", events=["output"])
    )
    made = await told(site)
    await site.services.endpoints.create(mine, replace(there, url="https://hooks.test/later"))
    page = text_of((await ada.get(f"/p/{made}")).text)
    for address, again in (("mine", " again"), ("there", " again"), ("chunks", ""), ("later", "")):
        assert f"Tell https://hooks.test/{address}{again} " in f"{page} "
        assert (f"{address} again" in page) is bool(again)
    assert "later" in page


async def test_telling_once_more(site: Site) -> None:
    """The button puts the event in line and leads back to where it was pressed; never to another site."""
    made, ada = await told(site), await site.signed_in("ada")
    endpoint = await site.services.endpoints.create(
        site.accounts["ada"], Wanted(url=f"https://hooks.test/{'x' * 60}", enabled=True)
    )
    form = {"event": "completed", "endpoint": endpoint.id}
    assert f"Tell https://hooks.test/{'x' * 20}" in (await ada.get(f"/p/{made}")).text
    answer = await ada.post(f"/p/{made}/replay", data=form | {"back": "https://evil.test"})
    assert answer.headers["location"] == f"/p/{made}#webhooks"
    assert endpoint.url in (await ada.get("/account/webhooks")).text
    waits = await site.services.calls.waiting(site.accounts["ada"])
    assert endpoint.id in {letter.endpoint for letter in waits}
    elsewhere = await ada.post(f"/p/{made}/replay", data={"event": "start", "back": "/account/webhooks"})
    assert elsewhere.headers["location"] == "/account/webhooks"
    assert (await ada.post(f"/p/{made}/replay", data={"event": HOSTILE})).status_code == 422


async def test_endpoints(site: Site) -> None:
    """An endpoint's secret is shown once, its page changes it, and another's is not there."""
    ada, bob = await site.signed_in("ada"), await site.signed_in("bob")
    form = {
        "url": "https://hooks.test/all",
        "events": ["start", "completed"],
        "enabled": "1",
        "model": "Ada/Hello",
    }
    made = await ada.post("/account/webhooks", data=form)
    (kept,) = await site.services.endpoints.list(site.accounts["ada"])
    assert kept.secret in made.text
    assert (kept.events, kept.model, kept.enabled) == (("start", "completed"), "ada/hello", True)
    page = f"/account/webhooks/{kept.id}"
    for path in (page, "/account/webhooks"):
        shown = (await ada.get(path)).text
        assert "https://hooks.test/all" in shown
        assert kept.secret not in shown
    assert (await bob.get(page)).status_code == 404
    wrong = await ada.post(page, data=form | {"url": "javascript:alert(1)"})
    assert (wrong.status_code, "must begin with" in wrong.text) == (422, True)
    saved = await ada.post(page, data={"url": "https://hooks.test/less", "events": ["output"], "model": ""})
    assert saved.headers["location"] == f"{page}?saved=1"
    (changed,) = await site.services.endpoints.list(site.accounts["ada"])
    assert (changed.url, changed.events, changed.model, changed.enabled) == (
        *("https://hooks.test/less", ("output",), None),
        False,
    )
    rotated = await ada.post(f"{page}/rotate")
    (changed,) = await site.services.endpoints.list(site.accounts["ada"])
    assert changed.secret != kept.secret
    assert changed.secret in rotated.text
    assert (await ada.post(f"{page}/delete")).headers["location"] == "/account/webhooks"
    assert await site.services.endpoints.list(site.accounts["ada"]) == ()
    refused = await ada.post("/account/webhooks", data={"url": "ftp://x", "events": ["nonsense"]})
    assert (refused.status_code, 'value="ftp://x"' in refused.text) == (422, True)


async def test_the_signing_secret(site: Site) -> None:
    """It is on no page until it is asked for by a form, and a new one takes its place."""
    ada = await site.signed_in("ada")
    secret = await site.services.accounts.webhook_secret(site.accounts["ada"].id)
    assert secret not in (await ada.get("/account/webhooks")).text
    assert secret in (await ada.post("/account/webhooks/secret")).text
    fresh = (await ada.post("/account/webhooks/secret/rotate")).text
    now = await site.services.accounts.webhook_secret(site.accounts["ada"].id)
    assert (now in fresh, secret in fresh) == (True, False)


@pytest.mark.parametrize("room", ["ada/hello", "deployments/ada/front"])
async def test_forms_count_as_the_api_does(site: Site, room: str) -> None:
    """Who may ask for one prediction a minute asks for no second by a page, whichever way came first."""
    version = await site.version("ada", "hello")
    wanted = Configuration(version=version.id, hardware="cpu", min_instances=0, max_instances=1)
    await site.services.deployments.create(site.accounts["ada"], "front", "ada/hello", wanted)
    site.app = create_application(
        site.services, WebSettings(session_secret="s" * 32, rates=Rates(creates=1, elapsed=lambda: 0.0))
    )
    ada = await site.signed_in("ada")
    form = {"version": version.id, "input": '{"text": "x"}'}
    assert (await ada.post(f"/{room}/run", data=form)).status_code == 303
    refused = await ada.post(f"/{room}/run", data=form)
    assert (refused.status_code, "at most 1 a minute" in refused.text) == (429, True)
    assert int(refused.headers["retry-after"]) > 0
    body = {"version": version.id, "input": {"text": "x"}}
    assert (await ada.post("/v1/predictions", json=body)).status_code == 429
