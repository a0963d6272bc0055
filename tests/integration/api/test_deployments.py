"""Deployments over HTTP: releases, predictions, limits, rollback."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.deployables import of_deployment
from cogyard.domain.waiting import Cause, Reason
from cogyard.features.instances.ports import Living
from cogyard.testing.api import BASE, ApiPlatform, add_version

pytestmark = pytest.mark.anyio

PATH = "/v1/deployments/owner/front"


def _body(platform: ApiPlatform, **changes: Any) -> dict[str, Any]:
    return {
        "name": "front",
        "model": "owner/echo",
        "version": platform.version.id,
        "hardware": "cpu",
        "min_instances": 0,
        "max_instances": 1,
        **changes,
    }


async def _made(platform: ApiPlatform, **changes: Any) -> int:
    async with platform.client() as client:
        assert (await client.post("/v1/deployments", json=_body(platform, **changes))).status_code == 200
    found = await platform.services.deployments.get(platform.accounts["owner"], "owner", "front")
    return found.id


async def test_a_deployment_is_made_shown_listed_and_deleted(platform: ApiPlatform) -> None:
    """The shape that official clients require, `created_by` with its name among it."""
    async with platform.client() as client:
        made = await client.post("/v1/deployments", json=_body(platform))
        assert made.status_code == 200
        shown = (await client.get(PATH)).json()
        assert shown == made.json()
        created_at = shown["current_release"].pop("created_at")
        assert created_at.endswith("Z")
        assert shown == {
            "owner": "owner",
            "name": "front",
            "current_release": {
                "number": 1,
                "model": "owner/echo",
                "version": platform.version.id,
                "created_by": (await client.get("/v1/account")).json(),
                "configuration": {"hardware": "cpu", "min_instances": 0, "max_instances": 1},
            },
        }
        assert (await client.post("/v1/deployments", json=_body(platform))).status_code == 409
        await client.post("/v1/deployments", json=_body(platform, name="second"))
        listed = (await client.get("/v1/deployments")).json()
        assert [each["name"] for each in listed["results"]] == ["second", "front"]
        deleted = await client.delete(PATH)
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert (await client.get(PATH)).status_code == 404
        assert (await client.delete(PATH)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "No"}, "name"),
        ({"model": "owner/none"}, "model"),
        ({"model": "nonsense"}, "model"),
        ({"version": "b" * 64}, "version"),
        ({"version": ""}, "version"),
        ({"hardware": "gpu-t9"}, "hardware"),
        ({"min_instances": 6}, "min_instances"),
        ({"max_instances": 21}, "max_instances"),
        ({"min_instances": 2}, "min_instances"),
        ({"split": {"version": "c" * 64, "percent": 5}}, "split.version"),
    ],
)
async def test_a_bad_deployment_is_refused(
    platform: ApiPlatform, changes: dict[str, Any], field: str
) -> None:
    """The field is named, in a create and in an update."""
    async with platform.client() as client:
        refused = await client.post("/v1/deployments", json=_body(platform, **changes))
        assert refused.status_code == 422
        assert refused.json()["invalid_fields"][0]["field"] == field
        if field in {"name", "model"}:
            return
        await client.post("/v1/deployments", json=_body(platform))
        refused = await client.patch(PATH, json=changes)
        assert refused.status_code == 422
        assert refused.json()["invalid_fields"][0]["field"] == field
        assert (await client.get(PATH)).json()["current_release"]["number"] == 1


async def test_every_change_is_a_release_and_can_be_taken_back(platform: ApiPlatform) -> None:
    """Numbers go up by one; the same again makes none; going back makes one more."""
    newer = await add_version(platform.services, platform.model, "d" * 64)
    await _made(platform)
    async with platform.client() as client:
        changed = (await client.patch(PATH, json={"version": newer.id})).json()["current_release"]
        assert (changed["number"], changed["version"]) == (2, newer.id)
        assert changed["configuration"]["max_instances"] == 1
        assert (await client.patch(PATH, json={"version": newer.id})).json()["current_release"]["number"] == 2
        assert (await client.patch(PATH, json={"max_instances": 3})).json()["current_release"]["number"] == 3
        back = (await client.post(f"{PATH}/rollback", json={"release": 1})).json()["current_release"]
        assert (back["number"], back["version"]) == (4, platform.version.id)
        again = (await client.post(f"{PATH}/rollback")).json()["current_release"]
        assert (again["number"], again["configuration"]["max_instances"]) == (5, 3)
        for nothing in (0, -1, 99, 1 << 70):
            refused = await client.post(f"{PATH}/rollback", json={"release": nothing})
            assert refused.status_code == 422
        listed = (await client.get(f"{PATH}/releases")).json()["results"]
        assert [(each["number"], each["version"][0]) for each in listed] == [
            (5, "d"),
            (4, "a"),
            (3, "d"),
            (2, "d"),
            (1, "a"),
        ]


async def test_predictions_run_on_the_deployments_own_instances(platform: ApiPlatform) -> None:
    """They wait for those alone, say whose they are, and keep the version they were asked of."""
    newer = await add_version(platform.services, platform.model, "d" * 64)
    key = await _made(platform)
    async with platform.client() as client:
        made = await client.post(f"{PATH}/predictions", json={"input": {"text": "x"}})
        assert made.status_code == 201
        shown = made.json()
        assert (shown["deployment"], shown["version"]) == ("owner/front", platform.version.id)
        assert made.headers["location"] == f"{BASE}/v1/predictions/{shown['id']}"
        plain = await client.post(
            "/v1/predictions", json={"version": platform.version.id, "input": {"text": "y"}}
        )
        assert "deployment" not in plain.json()
        await client.patch(PATH, json={"version": newer.id})
        after = (await client.post(f"{PATH}/predictions", json={"input": {"text": "z"}})).json()
        assert after["version"] == newer.id
        assert await platform.services.predictions.queue.waiting() == {
            platform.version.id: 1,
            of_deployment(platform.version.id, key): 1,
            of_deployment(newer.id, key): 1,
        }
        await platform.instance(of_deployment(platform.version.id, key)).run("old")
        assert (await client.get(f"/v1/predictions/{shown['id']}")).json()["output"] == "old"
        listed = (await client.get(f"{PATH}/predictions")).json()
        assert [each["id"] for each in listed["results"]] == [after["id"], shown["id"]]
        bad = await client.post(f"{PATH}/predictions", json={"input": {"text": 5}})
        assert bad.status_code == 422


async def test_a_new_deployment_has_nothing_of_a_deleted_one(platform: ApiPlatform) -> None:
    """Also where it is the next one made, and by the same name."""
    await _made(platform)
    async with platform.client() as client:
        made = (await client.post(f"{PATH}/predictions", json={"input": {"text": "x"}})).json()
        await client.post(f"/v1/predictions/{made['id']}/cancel")
        assert (await client.delete(PATH)).status_code == 204
        await _made(platform)
        assert (await client.get(f"{PATH}/predictions")).json()["results"] == []
        assert (await client.get(f"/v1/predictions/{made['id']}")).status_code == 200


async def test_waiting_for_a_prediction_of_a_deployment(platform: ApiPlatform) -> None:
    """`Prefer: wait` holds here too."""
    key = await _made(platform)
    instance = platform.instance(of_deployment(platform.version.id, key))
    async with platform.client() as client, instance.always(lambda given: f"hello {given['text']}"):
        answer = await client.post(
            f"{PATH}/predictions", json={"input": {"text": "x"}}, headers={"Prefer": "wait=5"}
        )
    assert (answer.status_code, answer.json()["output"]) == (201, "hello x")


async def test_a_deployment_in_use_stays(platform: ApiPlatform) -> None:
    """409 while its predictions wait; its model and version stay as long as it does."""
    await _made(platform)
    async with platform.client() as client:
        made = (await client.post(f"{PATH}/predictions", json={"input": {"text": "x"}})).json()
        assert (await client.delete(PATH)).status_code == 409
        await client.post(f"/v1/predictions/{made['id']}/cancel")
        refused = await client.delete(f"/v1/models/owner/echo/versions/{platform.version.id}")
        assert refused.status_code == 409
        assert "owner/front" in refused.json()["detail"]
        assert (await client.delete("/v1/models/owner/echo")).status_code == 409
        assert (await client.delete(PATH)).status_code == 204
        assert (await client.get(f"/v1/predictions/{made['id']}")).json()["deployment"] == "owner/front"


async def test_switching_a_deployment_off_ends_what_it_had(platform: ApiPlatform) -> None:
    """With a maximum of nothing, what waits and runs is canceled, and nothing more is taken."""
    key = await _made(platform)
    async with platform.client() as client:
        keys = [
            (await client.post(f"{PATH}/predictions", json={"input": {"text": "x"}})).json()["id"]
            for _ in range(2)
        ]
        await platform.instance(of_deployment(platform.version.id, key)).claim()
        assert (await client.patch(PATH, json={"max_instances": 0})).status_code == 200
        for id_ in keys:
            assert (await client.get(f"/v1/predictions/{id_}")).json()["status"] == "canceled"
        refused = await client.post(f"{PATH}/predictions", json={"input": {"text": "x"}})
        assert refused.status_code == 409
        assert "max_instances" in refused.json()["detail"]


async def test_a_split_sends_a_share_to_a_second_version(platform: ApiPlatform) -> None:
    """About as many as it says, of which the platform's own randomness decides; null takes it away."""
    newer = await add_version(platform.services, platform.model, "d" * 64)
    await _made(platform)
    async with platform.client() as client:
        changed = await client.patch(PATH, json={"split": {"version": newer.id, "percent": 50}})
        assert changed.json()["current_release"]["configuration"]["split"] == {
            "version": newer.id,
            "percent": 50,
        }
        versions = [
            (await client.post(f"{PATH}/predictions", json={"input": {"text": "x"}})).json()["version"]
            for _ in range(40)
        ]
        # Of 40 fair coins fewer than 4 heads come once in a hundred million times.
        assert 4 <= versions.count(newer.id) <= 36
        kept = await client.patch(PATH, json={"max_instances": 2})
        assert "split" in kept.json()["current_release"]["configuration"]
        gone = await client.patch(PATH, json={"split": None})
        assert "split" not in gone.json()["current_release"]["configuration"]


async def test_a_model_that_turned_private_is_no_longer_run(platform: ApiPlatform) -> None:
    """Another's deployment of it says so, and is not another's way in."""
    other = platform.accounts["other"]
    async with platform.client("other") as client:
        made = await client.post("/v1/deployments", json=_body(platform, name="theirs"))
        assert made.json()["owner"] == other.username
        await platform.services.models.update(
            platform.accounts["owner"], "owner", "echo", visibility="private"
        )
        answer = await client.post("/v1/deployments/other/theirs/predictions", json={"input": {"text": "x"}})
        moved = await client.patch("/v1/deployments/other/theirs", json={"version": "f" * 64})
        split = {"split": {"version": "f" * 64, "percent": 5}}
        shared = await client.patch("/v1/deployments/other/theirs", json=split)
        ended = await client.patch("/v1/deployments/other/theirs", json={"max_instances": 0})
    assert answer.status_code == 409
    # What its model has by now is not to be kept running by guessing; switching it off is.
    assert (moved.status_code, shared.status_code, ended.status_code) == (422, 422, 200)


class Fleet:
    """One instance that is ready, and one that ended."""

    def deployables(self) -> tuple[str, ...]:
        """Return nothing of the past."""
        return ()

    def living(self, deployable: str) -> list[Living]:
        """Return the one."""
        since = datetime(2026, 1, 1, tzinfo=UTC)
        view = InstanceView(id="i-1", deployable=deployable, phase=Phase.READY, since=since, slots=2, busy=1)
        return [Living(view=view, setup_logs="warm")]

    def trouble(self, deployable: str) -> Reason | None:
        """Say that it fails."""
        return Reason(cause=Cause.FAILING, detail=f"{deployable[-2:]} failed")

    def of(self, deployable: str) -> list[dict[str, Any]]:
        """Return one that ended."""
        return [{"instance": f"gone-{deployable[-1:]}", "error": "setup() failed", "setup_logs": "cold"}]


async def test_how_a_models_instances_fare(platform: ApiPlatform) -> None:
    """Those for predictions and those that train, of the latest version or another; for who may change it alone."""
    fleet = Fleet()
    records = replace(platform.services.instances, records=fleet, present=fleet)
    platform.app.state.services = replace(platform.services, instances=records)
    path = "/v1/models/owner/echo/instances"
    async with platform.client() as client:
        found = (await client.get(path)).json()["results"]
        assert [(one["purpose"], one["version"]) for one in found] == [
            ("predictions", platform.version.id),
            ("trainings", platform.version.id),
        ]
        assert found[0]["living"][0]["setup_logs"] == "warm"
        assert found[0]["ended"][0]["error"] == "setup() failed"
        named = await client.get(path, params={"version": platform.version.id})
        assert named.json()["results"] == found
        assert (await client.get(path, params={"version": "0" * 64})).status_code == 404
    async with platform.client("other") as client:
        assert (await client.get(path)).status_code == 404


async def test_how_its_instances_fare(platform: ApiPlatform) -> None:
    """What lives, why none starts and how others ended, by version; setup logs for the model's owner alone."""
    made = await _made(platform)
    fleet = Fleet()
    records = replace(platform.services.instances, records=fleet, present=fleet)
    platform.app.state.services = replace(platform.services, instances=records)
    async with platform.client() as client:
        (found,) = (await client.get(f"{PATH}/instances")).json()["results"]
    assert (found["version"], found["trouble"]) == (platform.version.id, f"@{made} failed")
    assert found["living"] == [
        {
            "instance": "i-1",
            "state": "ready",
            "since": "2026-01-01T00:00:00.000000Z",
            "slots": 2,
            "busy": 1,
            "setup_logs": "warm",
        }
    ]
    assert (found["ended"][0]["instance"], found["ended"][0]["setup_logs"]) == (f"gone-{made}", "cold")
    async with platform.client("other") as client:
        body = _body(platform, name="theirs")
        assert (await client.post("/v1/deployments", json=body)).status_code == 200
        (seen,) = (await client.get("/v1/deployments/other/theirs/instances")).json()["results"]
    assert (seen["living"][0]["setup_logs"], seen["ended"][0]["setup_logs"]) == ("", None)
    assert seen["ended"][0]["error"] == "setup() failed"
