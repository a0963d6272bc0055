"""The objects of the API, used as code for the official client uses them."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from types import EllipsisType
from typing import Any

import pytest
import replicate
from replicate.exceptions import ReplicateException
from replicate.model import Model
from replicate.prediction import Prediction
from replicate.version import Version

from tests.unit.client.test_client import VERSION, Script, client_of, deployment, prediction, version

CREATED = "2026-01-02T03:04:05.000006Z"


def model(**fields: Any) -> dict[str, Any]:
    """Return a model as the API writes it."""
    return {"owner": "me", "name": "it", "latest_version": {**version({}), "created_at": CREATED}, **fields}


def test_a_prediction_is_a_dict_of_its_fields() -> None:
    """`dict(prediction)`, `.dict()` and `.json()` have the fields, and nothing of ours."""
    made = client_of(Script(get_predictions_p1=prediction(source="api"))).predictions.get("p1")
    assert dict(made) == made.dict()
    assert (made.dict()["id"], "_client" in made.dict(), made.extra) == ("p1", False, {"source": "api"})
    assert json.loads(made.json(indent=1))["status"] == "starting"
    assert made.dict(include={"id", "error"}) == {"id": "p1", "error": None}
    assert made.dict(include={"id", "error"}, exclude_none=True) == {"id": "p1"}
    assert "id" not in made.dict(exclude={"id"})
    assert made.copy(update={"status": "failed"}, deep=True).status == "failed"
    assert copy.deepcopy(made) == made


def test_objects_in_objects_are_dicts_and_times_are_times() -> None:
    """A version was created at a moment; the JSON of a model has it as text again."""
    found = client_of(Script(get_models_me_it=model())).models.get("me", "it")
    assert found.latest_version is not None
    assert found.latest_version.created_at == datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    assert found.dict()["latest_version"]["id"] == VERSION
    assert json.loads(found.json())["latest_version"]["created_at"].startswith("2026-01-02T03:04:05.000006")


def test_objects_are_made_by_hand_for_the_default_client() -> None:
    """Tests of others' code make them."""
    made = Prediction(id="p", model="me/it", version=VERSION, status="succeeded")
    assert made._client is replicate.default_client
    assert Prediction.parse_obj({"id": "p", "later": 1}).extra == {"later": 1}
    assert Prediction.Progress(0.5, 1, 2).total == 2


def test_models_are_named_in_every_way() -> None:
    """One text, owner and name by place or by name; anything else is told before a request."""
    client = client_of(Script(get_models_me_it=model()))
    for name, names in (
        (("me/it",), {}),
        (("me", "it"), {}),
        ((), {"key": "me/it"}),
        ((), {"owner": "me", "name": "it"}),
    ):
        assert client.models.get(*name, **names).id == "me/it"
    for wrong in (("me",), ("a", "b", "c"), ()):
        with pytest.raises(ValueError, match="owner"):
            client.models.get(*wrong)


def test_deployments_are_named_in_every_way() -> None:
    """`owner/name`, a pair, or the object; a version where a model should be is told."""
    client = client_of(
        Script(get_deployments_me_front=deployment(), post_deployments_me_front_predictions=prediction())
    )
    made = client.deployments.get("me/front")
    assert made.current_release is not None
    assert made.current_release.created_by is not None
    assert made.current_release.created_by.username == "me"
    for name in ("me/front", ("me", "front"), made):
        assert client.predictions.create(deployment=name, input={}).id == "p1"
    with pytest.raises(ValueError, match="names a version"):
        client.predictions.create(model=f"me/it:{VERSION}", input={})
    with pytest.raises(ValueError, match="destination"):
        client.trainings.create(f"me/it:{VERSION}", {})


def test_pages_are_asked_where_the_platform_is_reached_here() -> None:
    """Whatever name a cursor has for the platform, the token goes along; `...` is the first page."""
    far = "https://public.test/prefix/v1/predictions?cursor=x"
    page = {"results": [prediction()], "next": far, "previous": None}
    script = Script(get_predictions=[page, {**page, "next": None}])
    client = client_of(script)
    lists: list[object] = []

    def listed(cursor: str | EllipsisType | None) -> replicate.Page[Prediction]:
        lists.append(cursor)
        return client.predictions.list(cursor)

    assert len(list(replicate.paginate(listed))) == 2
    assert lists == [..., far]
    assert str(script.requests[1].url) == "http://platform.test/v1/predictions?cursor=x"
    assert script.requests[1].headers["authorization"] == "Bearer token"


def test_lists_of_old_cogs_are_iterators() -> None:
    """Before 0.3.9 a schema did not say; a bare name gives a list, since nobody asked what its output is."""
    schema = {"components": {"schemas": {"Output": {"type": "array"}}}}
    assert Version(id="v", cog_version="0.3.8", openapi_schema=schema).output_is_iterator
    schema = {"components": {"schemas": {"Output": {"type": "array"}}}}
    assert not Version(id="v", cog_version="0.10.0-alpha1", openapi_schema=schema).output_is_iterator
    done = prediction(status="succeeded", output=["a", "b"])
    client = client_of(Script(post_models_me_it_predictions=done))
    assert client.run("me/it", {}) == ["a", "b"]


@pytest.mark.anyio
async def test_a_finished_iterator_is_an_asynchronous_one_too() -> None:
    """`async for` works whether the output was there at once or not."""
    done = prediction(status="succeeded", output=["a", "b"])
    iterates = version({"type": "array", "x-cog-array-type": "iterator"})
    client = client_of(Script(post_predictions=done, get_models_me_it_versions_VERSION=iterates))
    assert [piece async for piece in await client.async_run(f"me/it:{VERSION}", {})] == ["a", "b"]


def test_a_held_answer_is_complete() -> None:
    """The hosted service says "processing" of an output that is all there; nothing is asked again."""
    held = prediction(status="processing", output=["a", "b"])
    iterates = version({"type": "array", "x-cog-array-type": "iterator"})
    script = Script(
        post_predictions=held,
        post_models_me_it_predictions=held,
        get_models_me_it_versions_VERSION=iterates,
    )
    client = client_of(script)
    assert list(client.run(f"me/it:{VERSION}", {})) == ["a", "b"]
    assert client.run("me/it", {}, wait=5) == ["a", "b"]


def test_what_was_taken_out_says_so() -> None:
    """`model.predict` of long ago names what to use."""
    for taken in (Model(owner="me", name="it"), Version(id="v")):
        with pytest.raises(ReplicateException, match=r"replicate\.run"):
            taken.predict(prompt="x")
