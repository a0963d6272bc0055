"""What a user of the second generation of the official Python client does: every one of its operations.

Prints one JSON object of what came out; `test_official_python_2.py` checks it. Its client checks each answer against
its own types.
"""

import json
import os
import sys
import time

import replicate
from replicate import APIStatusError, Replicate

owner, versions = sys.argv[1], json.loads(sys.argv[2])
# This generation wants the address with /v1 (wire gotcha 1).
client = Replicate(base_url=os.environ["REPLICATE_BASE_URL"] + "/v1", _strict_response_validation=True)
out = {"client": replicate.__version__}


def status(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except APIStatusError as error:
        return error.status_code
    return None


def ended(read, id):
    while (found := read(id)).status not in ("succeeded", "failed", "canceled"):
        time.sleep(0.1)
    return found


out["run"] = client.run(f"{owner}/hello", input={"text": "a"})
out["account.get"] = client.account.get().username
out["hardware.list"] = [item.sku for item in client.hardware.list()]
out["collections.list"] = len(list(client.collections.list()))
out["collections.get"] = status(client.collections.get, collection_slug="none")
out["webhooks.default.secret.get"] = client.webhooks.default.secret.get().key[:6]

model = {"model_owner": owner, "model_name": "hello"}
out["models.get"] = client.models.get(**model).name
made = client.models.create(owner=owner, name="by-two", visibility="private", hardware="cpu", description="x")
out["models.create"] = [made.name, made.visibility]
two = {"model_owner": owner, "model_name": "by-two"}
changed = client.models.update(**two, description="Two words", readme="# Read me", github_url="https://a.test")
out["models.update"] = [changed.description, changed.github_url]
out["models.readme.get"] = client.models.readme.get(**two)
out["models.list"] = isinstance(list(client.models.list(sort_by="model_created_at", sort_direction="asc")), list)
out["models.search"] = [item.name for item in client.models.search(body="two words")]
out["search"] = [item.model.name for item in client.search(query="by-two").models]
out["models.delete"] = client.models.delete(**two)
out["models.versions.list"] = [item.id for item in client.models.versions.list(**model)] == [versions["hello"]]
version = client.models.versions.get(**model, version_id=versions["hello"])
out["models.versions.get"] = version.id == versions["hello"]

prediction = client.predictions.create(version=versions["hello"], input={"text": "b"}, prefer="wait=30")
out["predictions.create"] = [prediction.status, prediction.output]
out["predictions.get"] = client.predictions.get(prediction_id=prediction.id).id == prediction.id
out["predictions.list"] = next(iter(client.predictions.list())).id == prediction.id
long = client.predictions.create(version=versions["count"], input={"to": 600, "pause": 1}, cancel_after="60s")
out["predictions.cancel"] = client.predictions.cancel(prediction_id=long.id).status
out["deadline"] = long.deadline is not None
by_model = client.models.predictions.create(**model, input={"text": "c"}, prefer="wait=30")
out["models.predictions.create"] = by_model.output
out["models.examples.list"] = len(list(client.models.examples.list(**model)))

where = {"deployment_owner": owner, "deployment_name": "two"}
deployment = client.deployments.create(
    name="two", model=f"{owner}/hello", version=versions["hello"], hardware="cpu", min_instances=0, max_instances=1
)
out["deployments.create"] = [deployment.name, deployment.current_release.number]
out["deployments.get"] = client.deployments.get(**where).owner
out["deployments.update"] = client.deployments.update(**where, max_instances=2).current_release.number
out["deployments.list"] = "two" in [item.name for item in client.deployments.list()]
through = client.deployments.predictions.create(**where, input={"text": "d"}, prefer="wait=30")
out["deployments.predictions.create"] = [through.output, through.deployment]
out["deployments.delete"] = client.deployments.delete(**where)

client.models.create(owner=owner, name="learned-by-two", visibility="private", hardware="cpu")
base = {"model_owner": owner, "model_name": "learn", "version_id": versions["learn"]}
training = client.trainings.create(**base, destination=f"{owner}/learned-by-two", input={"word": "one"})
out["trainings.create"] = training.status
done = ended(lambda id: client.trainings.get(training_id=id), training.id)
out["trainings.get"] = [done.status, done.output.version.split(":")[0]]
out["trained"] = client.run(done.output.version, input={})
out["trainings.list"] = next(iter(client.trainings.list())).id == training.id
stopped = client.trainings.create(**base, destination=f"{owner}/learned-by-two", input={"word": "two"})
out["trainings.cancel"] = client.trainings.cancel(training_id=stopped.id).status in ("canceled", "succeeded")
learned = {"model_owner": owner, "model_name": "learned-by-two", "version_id": done.output.version.split(":")[1]}
out["models.versions.delete"] = client.models.versions.delete(**learned)

file = client.files.create(content=("kept.txt", b"kept", "text/plain"))
out["files.create"] = file.size
out["files.get"] = client.files.get(file_id=file.id).id == file.id
out["files.list"] = file.id in [item.id for item in client.files.list()]
out["files.delete"] = client.files.delete(file_id=file.id)
out["files.download"] = status(
    client.files.download, file_id=file.id, owner=owner, expiry=1, signature="bad"
)
out["bad input"] = status(client.predictions.create, version=versions["hello"], input={"text": 5})
out["wrong token"] = status(
    Replicate(base_url=str(client.base_url), bearer_token="wrong").account.get  # noqa: S106 - it is wrong
)
print(json.dumps(out))
