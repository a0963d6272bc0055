"""Predictions over HTTP, from the request of a client to the report of an instance and back."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from urllib.parse import quote, unquote

import pytest
from cogyard.domain.depth import MAX_VALUES
from cogyard.features.predictions.inputs import QUICK_VALUES
from cogyard.http.bodies import NAME_WEIGHT
from cogyard.instances.work import Outcome
from cogyard.testing.api import BASE, ApiPlatform

pytestmark = pytest.mark.anyio


async def _create(platform: ApiPlatform, name: str = "owner", **body: Any) -> dict[str, Any]:
    async with platform.client(name) as client:
        answer = await client.post("/v1/predictions", json={"version": platform.version.id, **body})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def test_create_answers_at_once_with_the_whole_shape(platform: ApiPlatform) -> None:
    """Every key that clients read is there, logs is a string and error null (wire gotchas 18 and 20)."""
    created = await _create(platform, input={"text": "hi"})
    assert created["input"] == {"text": "hi"}
    assert created["model"] == "owner/echo"
    assert created["version"] == platform.version.id
    assert created["status"] == "starting"
    assert created["logs"] == ""
    assert created["error"] is None
    assert created["output"] is None
    assert created["data_removed"] is False
    assert created["source"] == "api"
    assert created["created_at"].endswith("Z")
    assert len(created["id"]) == 26
    assert created["urls"]["get"] == f"{BASE}/v1/predictions/{created['id']}"
    assert created["urls"]["cancel"] == f"{BASE}/v1/predictions/{created['id']}/cancel"
    assert created["urls"]["web"] == f"{BASE}/p/{created['id']}"
    assert created["urls"]["stream"].startswith(f"{BASE}/v1/streams/")


async def test_a_prediction_runs_to_its_end(platform: ApiPlatform) -> None:
    """What the instance reports is what GET shows, with times and metrics."""
    created = await _create(platform, input={"text": "hi"})
    await platform.instance().run(lambda given: "hello " + given["text"])
    async with platform.client() as client:
        shown = (await client.get(created["urls"]["get"])).json()
    assert shown["status"] == "succeeded"
    assert shown["output"] == "hello hi"
    assert shown["metrics"]["predict_time"] >= 0
    assert shown["metrics"]["total_time"] >= shown["metrics"]["predict_time"]
    assert shown["created_at"] <= shown["started_at"] <= shown["completed_at"]


async def test_prefer_wait_answers_with_the_result(platform: ApiPlatform) -> None:
    """A waiting client has its output in the answer to its POST, and is told that its wish was met."""
    async with platform.client() as client, platform.instance().always(lambda given: given["text"]):
        answer = await client.post(
            "/v1/predictions",
            json={"version": "owner/echo:" + platform.version.id, "input": {"text": "hi"}},
            headers={"Prefer": "wait=5"},
        )
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=5"
    assert answer.json()["status"] == "succeeded"
    assert answer.json()["output"] == "hi"


async def test_a_wait_that_runs_out_says_starting(platform: ApiPlatform) -> None:
    """Clients take any other word for the end, even while the model runs (wire gotcha 2)."""

    async def hold() -> None:
        claim = await platform.instance().claim()
        await platform.services.predictions.queue.started(claim.prediction.id, claim.lease_token)
        await platform.services.predictions.queue.progress(
            claim.prediction.id, claim.lease_token, outputs=["a"]
        )

    async with platform.client() as client:
        holding = asyncio.create_task(hold())
        answer = await client.post(
            "/v1/predictions",
            json={"version": platform.version.id, "input": {"text": "x"}},
            headers={"Prefer": "wait=1"},
        )
        await holding
        assert answer.status_code == 202
        assert answer.json()["status"] == "starting"
        assert answer.json()["output"] is None
        later = (await client.get(answer.json()["urls"]["get"])).json()
    assert later["status"] == "processing"
    assert later["output"] == ["a"]


async def test_bad_input_is_refused_with_every_problem(platform: ApiPlatform) -> None:
    """One answer names every wrong field."""
    async with platform.client() as client:
        answer = await client.post(
            "/v1/predictions", json={"version": platform.version.id, "input": {"times": 9, "txet": "x"}}
        )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    fields = {problem["field"] for problem in answer.json()["invalid_fields"]}
    assert fields == {"input.text", "input.times", "input.txet"}


@pytest.mark.parametrize(
    "version", ["b" * 64, "owner/none", "owner/echo:" + "c" * 64, "../x", "owner/echo:latest"]
)
async def test_a_version_that_is_not_there_is_a_422(platform: ApiPlatform, version: str) -> None:
    """The words are those that clients show."""
    async with platform.client() as client:
        answer = await client.post("/v1/predictions", json={"version": version, "input": {}})
    assert answer.status_code == 422
    assert answer.json()["title"] == "Invalid version or not permitted"


async def test_fields_that_clients_add_are_let_pass(platform: ApiPlatform) -> None:
    """`stream`, `webhook_completed` and whatever comes next do not refuse a request (wire gotcha 13)."""
    created = await _create(
        platform, input={"text": "x"}, stream=True, webhook_completed="https://example.com/hook", more=1
    )
    assert created["webhook"] == "https://example.com/hook"


async def test_by_model_runs_its_latest_version(platform: ApiPlatform) -> None:
    """POST to the model needs no version."""
    async with platform.client("other") as client:
        answer = await client.post("/v1/models/owner/echo/predictions", json={"input": {"text": "x"}})
    assert answer.status_code == 201
    assert answer.json()["version"] == platform.version.id


async def test_cancel_stops_a_waiting_and_a_running_prediction(platform: ApiPlatform) -> None:
    """Both end as canceled, and the instance's later word changes nothing."""
    waiting = await _create(platform, input={"text": "1"})
    async with platform.client() as client:
        answer = await client.post(waiting["urls"]["cancel"])
        assert answer.status_code == 200
        assert answer.json()["status"] == "canceled"
        running = await _create(platform, input={"text": "2"})
        instance = platform.instance()
        claim = await instance.claim()
        await instance.queue.started(claim.prediction.id, claim.lease_token)
        stop = asyncio.create_task(instance.queue.wait_canceled(claim.prediction.id))
        canceled = (await client.post(running["urls"]["cancel"])).json()
        await asyncio.wait_for(stop, 30)
        assert canceled["status"] == "canceled"
        assert canceled["completed_at"] is not None
        assert not await instance.queue.started(claim.prediction.id, claim.lease_token)
        again = (await client.post(running["urls"]["cancel"])).json()
        assert again == canceled


async def test_a_failure_is_a_status_and_not_an_http_error(platform: ApiPlatform) -> None:
    """The model's error is in the prediction."""
    created = await _create(platform, input={"text": "x"})
    await platform.instance().run(error="It broke.", logs="Traceback\n")
    async with platform.client() as client:
        shown = (await client.get(created["urls"]["get"])).json()
    assert (shown["status"], shown["error"], shown["logs"]) == ("failed", "It broke.", "Traceback\n")


async def test_lists_are_pages_of_a_hundred_newest_first(platform: ApiPlatform) -> None:
    """`next` leads on, as the client reached us, until there is no more (wire gotcha 10)."""
    for n in range(103):
        await platform.services.predictions.create(
            platform.accounts["owner"], version=platform.version, input={"text": str(n)}
        )
    async with platform.client() as client:
        first = (await client.get("/v1/predictions")).json()
        assert len(first["results"]) == 100
        assert first["previous"] is None
        assert first["next"].startswith(f"{BASE}/v1/predictions?cursor=")
        second = (await client.get(first["next"])).json()
        assert second["next"] is None
        texts = [one["input"]["text"] for one in first["results"] + second["results"]]
        assert sorted(texts, key=int) == [str(n) for n in range(103)]
        back = (await client.get(second["previous"])).json()
        assert [one["id"] for one in back["results"]] == [one["id"] for one in first["results"]]


async def test_a_page_of_large_predictions_ends_early(platform: ApiPlatform) -> None:
    """A page has about 4 MiB at most, or one prediction; `next` leads on to the rest."""
    mib = 1024 * 1024
    for size in (1, 3, 6, 3):
        await platform.services.predictions.create(
            platform.accounts["owner"], version=platform.version, input={"text": "x" * (size * mib)}
        )
    pages, where = [], "/v1/predictions"
    async with platform.client() as client:
        while where:
            page = (await client.get(where)).json()
            pages.append([len(one["input"]["text"]) // mib for one in page["results"]])
            where = page["next"]
    assert pages == [[3], [6], [3], [1]]


async def test_lists_can_be_bounded_by_time(platform: ApiPlatform) -> None:
    """created_after and created_before bound the list; nonsense is a 400."""
    created = await _create(platform, input={"text": "x"})
    async with platform.client() as client:
        before = await client.get("/v1/predictions", params={"created_before": "2020-01-01T00:00:00Z"})
        after = await client.get("/v1/predictions", params={"created_after": "2020-01-01T00:00:00Z"})
        wrong = await client.get("/v1/predictions", params={"created_after": "yesterday"})
    assert before.json()["results"] == []
    assert [one["id"] for one in after.json()["results"]] == [created["id"]]
    assert wrong.status_code == 400


async def test_small_output_files_come_as_data_urls_when_waited_for(platform: ApiPlatform) -> None:
    """Clients make files of data: and https: only; GET later shows an address that needs no header."""

    async def paint() -> None:
        instance = platform.instance()
        claim = await instance.claim()
        async with platform.client(None) as model_server:
            put = await model_server.put(
                f"/internal/outputs/{claim.lease_token}/out.png",
                content=b"\x89PNG",
                headers={"Content-Type": "image/png"},
            )
        assert put.status_code == 201
        outcome = Outcome(status="succeeded", output=put.headers["location"])
        await instance.queue.finished(claim.prediction.id, claim.lease_token, outcome)

    async with platform.client() as client, platform.client(None) as anybody:
        painting = asyncio.create_task(paint())
        answer = await client.post(
            "/v1/predictions",
            json={"version": platform.version.id, "input": {"text": "x"}},
            headers={"Prefer": "wait"},
        )
        await painting
        expected = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
        assert answer.json()["output"] == expected
        shown = (await client.get(answer.json()["urls"]["get"])).json()
        assert shown["output"].startswith(f"{BASE}/delivery/")
        fetched = await anybody.get(shown["output"])
        assert fetched.content == b"\x89PNG"
        assert fetched.headers["content-type"] == "image/png"


@pytest.mark.parametrize("name", ["图片.png", "naïve.png", "100%25 of it?.png"])
async def test_an_output_file_may_have_any_name(platform: ApiPlatform, name: str) -> None:
    """What a model calls its file is kept, in whatever script, and its address answers."""
    created = await _create(platform, input={"text": "x"})
    instance = platform.instance()
    claim = await instance.claim()
    async with platform.client(None) as anybody, platform.client() as client:
        put = await anybody.put(f"/internal/outputs/{claim.lease_token}/{quote(name)}", content=b"\x89PNG")
        assert put.status_code == 201
        outcome = Outcome(status="succeeded", output=put.headers["location"])
        await instance.queue.finished(claim.prediction.id, claim.lease_token, outcome)
        shown = (await client.get(f"/v1/predictions/{created['id']}")).json()
        fetched = await anybody.get(shown["output"])
        assert (fetched.status_code, fetched.content) == (200, b"\x89PNG")
        assert unquote(shown["output"]).endswith("/" + name)


async def test_outputs_are_taken_only_from_the_holder_of_the_lease(platform: ApiPlatform) -> None:
    """A lease that ended or never was is a 404."""
    created = await _create(platform, input={"text": "x"})
    claim = await platform.instance().claim()
    async with platform.client() as client:
        await client.post(created["urls"]["cancel"])
        for token in (claim.lease_token, "0" * 32, "..%2f"):
            answer = await client.put(f"/internal/outputs/{token}/x.png", content=b"x")
            assert answer.status_code == 404


async def test_an_uploaded_file_can_be_an_input(platform: ApiPlatform) -> None:
    """Its API address becomes a reference that instances can fetch; another's file is refused."""
    async with platform.client() as client, platform.client("other") as other:
        uploaded = await client.post("/v1/files", files={"content": ("a.png", b"png", "image/png")})
        url = uploaded.json()["urls"]["get"]
        created = await _create(platform, input={"text": "x", "image": url})
        claim = await platform.instance().claim()
        assert str(claim.prediction.input["image"]).startswith("cogyard-file:")
        assert created["input"]["image"].startswith(f"{BASE}/delivery/")
        refused = await other.post(
            "/v1/predictions", json={"version": platform.version.id, "input": {"text": "x", "image": url}}
        )
        assert refused.status_code == 422


async def test_a_large_data_url_is_kept_as_a_file(platform: ApiPlatform) -> None:
    """Megabytes of base64 do not go through every row and answer."""
    content = bytes(range(256)) * 2048
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    created = await _create(platform, input={"text": "x", "image": url})
    assert created["input"]["image"].startswith(f"{BASE}/delivery/")
    async with platform.client(None) as anybody:
        assert (await anybody.get(created["input"]["image"])).content == content
    small = "data:text/plain;base64,aGk="
    assert (await _create(platform, input={"text": "x", "image": small}))["input"]["image"] == small


async def test_a_body_of_countless_values_is_refused_unread(platform: ApiPlatform) -> None:
    """Its values would need a hundred times its size in memory; a text has as many commas and brackets as it likes."""
    async with platform.client() as client:

        async def asked(input: str) -> tuple[int, str]:
            body = f'{{"version":"{platform.version.id}","input":{{"text":{input}}}}}'
            json = {"Content-Type": "application/json"}
            answer = await client.post("/v1/predictions", content=body.encode(), headers=json)
            return answer.status_code, answer.text

        names = MAX_VALUES // (NAME_WEIGHT + 1)
        for many in (
            f"[0{',0' * MAX_VALUES}]",
            f"[{'[],' * MAX_VALUES}[]]",
            "{" + ",".join(f'"{number}":0' for number in range(names + 1)) + "}",
            "[" + '{"a" : 0},' * names + '{"a" : 0}]',
            "[" + r'"\\",' * MAX_VALUES + "0]",
        ):
            status, said = await asked(many)
            assert (status, "more than 1000000 values" in said) == (413, True)
        for text in (r",[{\"", r"\":", ":,", r"\\"):
            status, _ = await asked('"' + text * (MAX_VALUES // 2) + '"')
            assert status == 201
        # What a version has no name for is its schema's matter.
        some = ",".join(f'"{number}":0' for number in range(names // 2))
        assert (await asked(f'"x",{some}'))[0] == 422


async def test_large_inputs_are_checked_and_kept_as_small_ones_are(platform: ApiPlatform) -> None:
    """What is done beside the event loop is the same."""
    many: list[Any] = [0] * (QUICK_VALUES + 1)
    async with platform.client() as client:
        body = {"version": platform.version.id, "input": {"text": many}}
        refused = await client.post("/v1/predictions", json=body)
        assert (refused.status_code, refused.json()["invalid_fields"][0]["field"]) == (422, "input.text")


_BYTES = bytes(range(256)) * 2048


@pytest.mark.parametrize(
    "url",
    [
        "data:;base64," + base64.b64encode(_BYTES).decode() + "\n",
        "data:;base64," + base64.b64encode(_BYTES).decode().rstrip("="),
        "data:;base64," + base64.urlsafe_b64encode(_BYTES).decode(),
        "data:text/plain," + quote(_BYTES),
    ],
    ids=["line end", "no padding", "URL-safe letters", "percent-encoded"],
)
async def test_a_large_data_url_is_read_as_a_small_one(platform: ApiPlatform, url: str) -> None:
    """Whatever spelling the model server reads, and to the same bytes."""
    created = await _create(platform, input={"text": "x", "image": url})
    async with platform.client(None) as anybody:
        assert (await anybody.get(created["input"]["image"])).content == _BYTES


async def test_secrets_are_never_shown_and_forgotten_at_the_end(platform: ApiPlatform) -> None:
    """The instance gets the secret; no answer and, once it has ended, no row has it."""
    created = await _create(platform, input={"text": "x", "key": "hunter2"})
    assert created["input"]["key"] == "**********"
    claim = await platform.instance().claim()
    assert claim.prediction.input["key"] == "hunter2"
    from cogyard.instances.work import Outcome

    queue = platform.services.predictions.queue
    await queue.finished(claim.prediction.id, claim.lease_token, Outcome(status="succeeded", output="x"))
    stored = await platform.database.read(
        lambda db: db.execute("SELECT input FROM predictions").fetchone()[0]
    )
    assert "hunter2" not in stored


async def test_cancel_after_sets_a_deadline(platform: ApiPlatform) -> None:
    """The header is read and the deadline shown."""
    async with platform.client() as client:
        answer = await client.post(
            "/v1/predictions",
            json={"version": platform.version.id, "input": {"text": "x"}},
            headers={"Cancel-After": "1h"},
        )
    assert answer.json()["deadline"] > answer.json()["created_at"]


async def test_a_full_queue_says_when_to_come_back(platform: ApiPlatform) -> None:
    """429 with Retry-After (wire gotcha 19)."""
    object.__setattr__(platform.services.predictions, "queue_limit", 0)
    async with platform.client() as client:
        answer = await client.post(
            "/v1/predictions", json={"version": platform.version.id, "input": {"text": "x"}}
        )
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"
