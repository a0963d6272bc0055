"""The client's flows, against scripted answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from replicate import Client, FileOutput, ModelError, ReplicateError

Handler = Callable[[httpx2.Request], httpx2.Response]
VERSION = "f" * 64
BASE = "http://platform.test"


def client_of(handler: Handler, **options: Any) -> Client:
    """Return a client whose every request `handler` answers, in both of its ways."""
    options.setdefault("base_url", BASE)
    transport = httpx2.MockTransport(handler)
    return Client("token", transport=transport, async_transport=transport, poll_interval=0.001, **options)


def prediction(**fields: Any) -> dict[str, Any]:
    """Return a prediction as the API writes it."""
    urls = {"get": f"{BASE}/v1/predictions/p1", "cancel": f"{BASE}/v1/predictions/p1/cancel"}
    return {
        "id": "p1",
        "model": "me/it",
        "version": VERSION,
        "status": "starting",
        "output": None,
        "urls": urls,
        **fields,
    }


def version(output: dict[str, Any]) -> dict[str, Any]:
    """Return a version whose Output schema is `output`."""
    return {"id": VERSION, "openapi_schema": {"components": {"schemas": {"Output": output}}}}


class Script:
    """Answers requests by method and path, each list of answers in turn, the last one for ever."""

    def __init__(self, **answers: Any) -> None:
        """Take answers by name: `post_predictions`, `get_predictions_p1` and so on."""
        self.answers = {
            name: list(value) if isinstance(value, list) else [value] for name, value in answers.items()
        }
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        self.requests.append(request)
        path = request.url.path.removeprefix("/v1/").replace("/", "_").replace(VERSION, "VERSION")
        queue = self.answers[f"{request.method.lower()}_{path}"]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)


def test_run_waits_for_the_output() -> None:
    """`run` asks the platform to wait and returns the output of a prediction that is done."""
    script = Script(
        post_predictions=prediction(status="succeeded", output="hello you"),
        get_models_me_it_versions_VERSION=version({"type": "string"}),
    )
    assert client_of(script).run(f"me/it:{VERSION}", {"text": "you"}) == "hello you"
    assert script.requests[0].headers["prefer"] == "wait"
    assert json.loads(script.requests[0].content) == {"version": VERSION, "input": {"text": "you"}}


def test_run_polls_when_the_platform_does_not_wait() -> None:
    """A prediction that is still starting is asked for until it has ended."""
    script = Script(
        post_models_me_it_predictions=prediction(),
        get_models_me_it_versions_VERSION=version({"type": "string"}),
        get_predictions_p1=[prediction(status="processing"), prediction(status="succeeded", output="x")],
    )
    assert client_of(script).run("me/it", {}) == "x"


@pytest.mark.anyio
async def test_async_run_is_the_same_flow() -> None:
    """`async_run` returns what `run` does."""
    script = Script(
        post_predictions=prediction(),
        get_models_me_it_versions_VERSION=version({"type": "string"}),
        get_predictions_p1=prediction(status="succeeded", output=["http://files.test/a.png"]),
    )
    output = await client_of(script).async_run(f"me/it:{VERSION}", {})
    assert output == [FileOutput("http://files.test/a.png", Client())]


def test_iterator_models_give_their_pieces_as_they_come() -> None:
    """The output of an iterator model can be read while the model still runs."""
    script = Script(
        post_predictions=prediction(),
        get_models_me_it_versions_VERSION=version({"type": "array", "x-cog-array-type": "iterator"}),
        get_predictions_p1=[
            prediction(status="processing", output=["a"]),
            prediction(status="succeeded", output=["a", "b"]),
        ],
    )
    pieces = client_of(script).run(f"me/it:{VERSION}", {})
    assert isinstance(pieces, Iterator)
    assert list(pieces) == ["a", "b"]


@pytest.mark.parametrize("status", ["failed", "canceled", "aborted"])
def test_a_prediction_that_did_not_succeed_raises(status: str) -> None:
    """A failed, canceled or aborted prediction never looks like an empty output."""
    script = Script(
        post_predictions=prediction(status=status, error="boom"),
        get_models_me_it_versions_VERSION=version({"type": "string"}),
    )
    with pytest.raises(ModelError, match="boom") as caught:
        client_of(script).run(f"me/it:{VERSION}", {})
    assert caught.value.prediction.status == status


def test_files_are_uploaded_and_data_urls_read() -> None:
    """An open file is uploaded first, and a file in the output reads as its bytes."""
    script = Script(
        post_files={"id": "f1", "urls": {"get": f"{BASE}/v1/files/f1"}},
        post_predictions=prediction(status="succeeded", output="data:text/plain;base64,aGk="),
        get_models_me_it_versions_VERSION=version({"type": "string", "format": "uri"}),
    )
    output = client_of(script).run(f"me/it:{VERSION}", {"image": io.BytesIO(b"picture"), "n": [1, (2, 3)]})
    assert output.read() == b"hi"
    assert list(output) == [b"hi"]
    assert b"picture" in script.requests[0].content
    assert json.loads(script.requests[1].content)["input"] == {
        "image": f"{BASE}/v1/files/f1",
        "n": [1, [2, 3]],
    }


def test_the_token_stays_with_the_platform() -> None:
    """An output's address on another host is fetched without the token."""
    seen: dict[str, str | None] = {}

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen[request.url.host] = request.headers.get("authorization")
        return httpx2.Response(200, content=b"x")

    client = client_of(handler)
    FileOutput("http://elsewhere.test/x", client).read()
    FileOutput(f"{BASE}/delivery/x", client).read()
    assert seen == {"elsewhere.test": None, "platform.test": "Bearer token"}


@pytest.mark.parametrize("given", [BASE, f"{BASE}/", f"{BASE}/v1", f"{BASE}/v1/"])
def test_both_forms_of_the_base_address(given: str) -> None:
    """REPLICATE_BASE_URL works with and without /v1, whichever client it was written for."""
    assert Client(base_url=given).base_url == f"{BASE}/v1"


def test_without_an_address_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent to anybody when no platform is set."""
    monkeypatch.delenv("REPLICATE_BASE_URL", raising=False)
    with pytest.raises(ReplicateError, match="REPLICATE_BASE_URL"):
        Client().run("me/it", {})


def test_refusals_carry_the_platforms_words() -> None:
    """A problem+json answer becomes an error with its fields."""
    script = Script(
        get_account=httpx2.Response(
            401, json={"title": "Unauthenticated", "detail": "No token", "status": 401}
        )
    )
    with pytest.raises(
        ReplicateError, match="title: Unauthenticated; status: 401; detail: No token"
    ) as caught:
        client_of(script).accounts.current()
    assert caught.value.status == 401


def test_without_a_token_a_refusal_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set no token hears where one is set; whoever set a wrong one is not told to set one."""
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    refusal = httpx2.Response(401, json={"title": "Unauthenticated", "detail": "No token."})
    script = Script(get_account=[refusal, refusal, refusal])
    transport = httpx2.MockTransport(script)
    with pytest.raises(ReplicateError, match=r"No token\. No token is set: set REPLICATE_API_TOKEN"):
        Client(base_url=BASE, transport=transport).accounts.current()
    for own in (
        client_of(script),
        Client(base_url=BASE, transport=transport, headers={"authorization": "x"}),
    ):
        with pytest.raises(ReplicateError, match=r"No token\.\Z"):
            own.accounts.current()


def test_no_answer_names_the_address_and_what_to_check() -> None:
    """A platform that is not there is told by its whole address, with nothing empty in the sentence."""

    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("Connection refused", request=request)

    with pytest.raises(ReplicateError) as caught:
        client_of(gone).predictions.create(model="me/it", input={})
    assert f"{BASE}/v1/models/me/it/predictions: Connection refused. Check REPLICATE_BASE_URL" in str(
        caught.value
    )


def test_reads_and_creates_are_tried_again_and_changes_are_not() -> None:
    """A GET survives a moment's 503, and so does a create, which says the same key each time; a PATCH is sent once."""
    busy = httpx2.Response(503, headers={"retry-after": "0"})
    script = Script(
        get_account=[busy, {"type": "user", "username": "me"}],
        post_predictions=[busy, busy, prediction()],
        post_models_me_it_versions_VERSION_trainings=[busy, prediction()],
        patch_models_me_it=busy,
    )
    client = client_of(script)
    assert client.accounts.current().username == "me"
    assert client.predictions.create(version=VERSION, input={}).id == "p1"
    assert client.trainings.create(f"me/it:{VERSION}", {}, "me/new").id == "p1"
    with pytest.raises(ReplicateError):
        client.models.update("me", "it", description="x")
    assert [request.method for request in script.requests] == [*["GET"] * 2, *["POST"] * 5, "PATCH"]
    keys = [request.headers.get("idempotency-key") for request in script.requests[2:7]]
    assert len({*keys}) == 2
    assert None not in keys
    assert keys[0] == keys[2] != keys[3] == keys[4]


def test_a_create_says_when_it_must_have_ended_and_how_urgent_it_is() -> None:
    """By headers, which the API has for both; without them it says neither."""
    script = Script(post_predictions=prediction())
    client = client_of(script)
    client.predictions.create(version=VERSION, input={}, cancel_after="30s", priority="high", wait=5)
    client.predictions.create(version=VERSION, input={}, cancel_after=30)
    client.predictions.create(version=VERSION, input={})
    names = ("cancel-after", "cogyard-priority", "prefer")
    said = [[request.headers.get(name) for name in names] for request in script.requests]
    assert said == [["30s", "high", "wait=5"], ["30", None, None], [None, None, None]]


def test_a_create_whose_answer_is_lost_is_sent_again() -> None:
    """The connection broke after the platform took it: the same key brings the prediction that was made."""
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["idempotency-key"])
        if len(seen) == 1:
            raise httpx2.ReadError("reset", request=request)
        return httpx2.Response(201, json=prediction())

    assert client_of(answer).predictions.create(version=VERSION, input={}, idempotency_key="mine").id == "p1"
    assert seen == ["mine", "mine"]


def test_pages_follow_their_addresses() -> None:
    """`next` is asked for as it was given."""
    script = Script(
        get_predictions=[
            {"results": [prediction(id="a")], "next": f"{BASE}/v1/predictions?cursor=x", "previous": None},
            {"results": [prediction(id="b")], "next": None, "previous": None},
        ]
    )
    client = client_of(script)
    first = client.predictions.list()
    assert [item.id for item in first] == ["a"]
    assert first.next
    assert [item.id for item in client.predictions.list(first.next)] == ["b"]
    assert script.requests[1].url.query == b"cursor=x"


def test_exactly_one_target() -> None:
    """Naming two targets of a prediction is refused before anything is sent."""
    with pytest.raises(ValueError, match="exactly one"):
        client_of(Script()).predictions.create(version=VERSION, model="me/it", input={})


def deployment(**release: Any) -> dict[str, Any]:
    """Return a deployment as the API writes it."""
    return {
        "owner": "me",
        "name": "front",
        "current_release": {
            "number": 1,
            "model": "me/it",
            "version": VERSION,
            "created_at": "2026-01-01T00:00:00Z",
            "created_by": {"type": "user", "username": "me", "name": "Me"},
            "configuration": {"hardware": "cpu", "min_instances": 0, "max_instances": 1},
            **release,
        },
    }


def test_deployments_are_made_changed_and_asked() -> None:
    """As with the official client: keyword arguments, `owner/name`, and predictions of the object itself."""
    script = Script(
        post_deployments=deployment(),
        get_deployments_me_front=deployment(),
        patch_deployments_me_front=deployment(number=2),
        post_deployments_me_front_rollback=deployment(number=3),
        post_deployments_me_front_predictions=prediction(status="succeeded", output="x"),
        delete_deployments_me_front=httpx2.Response(204),
    )
    client = client_of(script)
    made = client.deployments.create(
        name="me/front", model="me/it", version=VERSION, hardware="cpu", min_instances=0, max_instances=1
    )
    assert json.loads(script.requests[0].content)["name"] == "front"
    assert made.id == "me/front"
    assert made.current_release is not None
    assert made.current_release.configuration.max_instances == 1
    changed = client.deployments.update("me", "front", max_instances=2)
    assert changed.current_release is not None
    assert changed.current_release.number == 2
    assert json.loads(script.requests[1].content) == {"max_instances": 2}
    back = client.deployments.rollback("me", "front", 1)
    assert back.current_release is not None
    assert back.current_release.number == 3
    got = client.deployments.get("me/front")
    assert got.predictions.create(input={"text": "a"}, idempotency_key="k").output == "x"
    assert script.requests[-1].headers["idempotency-key"] == "k"
    assert client.deployments.predictions.create(("me", "front"), {"text": "a"}).output == "x"
    assert client.deployments.delete("me", "front") is True


def test_a_deployment_can_be_run() -> None:
    """`run` takes a deployment, which the official client does not."""
    script = Script(
        get_deployments_me_front=deployment(),
        post_deployments_me_front_predictions=prediction(status="succeeded", output="x"),
        get_models_me_it_versions_VERSION=version({"type": "string"}),
    )
    client = client_of(script)
    assert client.run(client.deployments.get("me/front"), {}) == "x"
    assert client.run("deployments/me/front", {}) == "x"
    with pytest.raises(ValueError, match="owner/name"):
        client.run("deployments/front", {})


@pytest.mark.anyio
async def test_trainings_in_both_ways() -> None:
    """The shorthand and the pair of model and version name the same; the destination comes from the output."""
    made = prediction(output={"version": f"me/tuned:{VERSION}", "weights": "https://files.test/w"})
    script = Script(
        post_models_me_it_versions_VERSION_trainings=made,
        get_trainings_p1=made,
        get_trainings={"results": [made], "next": None, "previous": None},
        post_trainings_p1_cancel=prediction(status="canceled"),
    )
    client = client_of(script)
    first = client.trainings.create(f"me/it:{VERSION}", {"a": 1}, "me/tuned")
    assert first.destination == "me/tuned"
    second = await client.trainings.async_create(
        model=("me", "it"), version=VERSION, input={"a": 1}, destination=("me", "tuned")
    )
    third = await client.trainings.async_create("me/it", VERSION, {"a": 1}, destination="me/tuned")
    assert third.id == second.id == first.id
    bodies = [json.loads(request.content) for request in script.requests]
    assert bodies == [{"input": {"a": 1}, "destination": "me/tuned"}] * 3
    assert client.trainings.list().results[0].destination == "me/tuned"
    assert client.trainings.get("p1").id == "p1"
    stopped = await client.trainings.async_cancel("p1")
    assert (stopped.status, stopped.destination) == ("canceled", None)
    with pytest.raises(ValueError, match="owner/name:version"):
        client.trainings.create("me/it", {}, "me/tuned")
    with pytest.raises(TypeError, match="in this order"):
        await client.trainings.async_create(f"me/it:{VERSION}", {"a": 1})


def test_models_are_changed_and_predictions_deleted() -> None:
    """What the official client cannot do."""
    model = {"owner": "me", "name": "it", "url": "", "visibility": "private", "run_count": 0}
    script = Script(patch_models_me_it=model, delete_predictions_p1=httpx2.Response(204))
    client = client_of(script)
    assert client.models.update("me", "it", hardware="gpu").name == "it"
    assert json.loads(script.requests[0].content) == {"hardware": "gpu"}
    assert client.predictions.delete("p1") is True
