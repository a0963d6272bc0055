"""What a user of the official Python client does, run in an environment where only that client is installed.

Prints one JSON object of what came out; `test_official_python.py` checks it.
"""

import asyncio
import io
import json
import os
import sys
import time
import urllib.request

import replicate
from replicate.exceptions import ModelError, ReplicateError

owner, versions = sys.argv[1], json.loads(sys.argv[2])
out = {"client": replicate.__version__ if hasattr(replicate, "__version__") else None}

out["run by name"] = replicate.run(f"{owner}/hello", input={"text": "a"})
out["run by version"] = replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": "b"})
out["run by polling"] = replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": "c"}, wait=False)
out["run async"] = asyncio.run(replicate.async_run(f"{owner}/hello:{versions['hello']}", input={"text": "d"}))

several = replicate.run(f"{owner}/words:{versions['words']}", input={})
out["several values"] = several if isinstance(several, list) else type(several).__name__

file = replicate.run(f"{owner}/copy:{versions['copy']}", input={"file": io.BytesIO(b"abc")})
out["file"] = [type(file).__name__, file.read().decode()]
file = replicate.run(
    f"{owner}/copy:{versions['copy']}", input={"file": io.BytesIO(b"xyz")}, file_encoding_strategy="base64"
)
out["file as data"] = file.read().decode()

out["stream"] = [
    [event.event.value, event.data] for event in replicate.stream(f"{owner}/count", input={"to": 3})
]
out["iterator"] = list(replicate.run(f"{owner}/count:{versions['count']}", input={"to": 4}))
out["iterator polling"] = list(
    replicate.run(f"{owner}/count:{versions['count']}", input={"to": 2}, wait=False)
)

prediction = replicate.predictions.create(version=versions["count"], input={"to": 600, "pause": 1})
prediction.reload()
prediction.cancel()
prediction.wait()
out["cancel"] = prediction.status
out["get"] = replicate.predictions.get(prediction.id).status
page = replicate.predictions.list()
out["list"] = [len(page.results) > 0, page.results[0].id == prediction.id]

try:
    list(replicate.run(f"{owner}/count:{versions['count']}", input={"to": 1, "fail": True}))
except ModelError as error:
    out["model error"] = error.prediction.error
try:
    replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": 5})
except ReplicateError as error:
    out["bad input"] = error.status
try:
    replicate.run("nobody/nothing", input={})
except ReplicateError as error:
    out["missing model"] = error.status
try:
    replicate.Client(api_token="wrong").predictions.list()
except ReplicateError as error:
    out["wrong token"] = error.status

model = replicate.models.get(f"{owner}/hello")
out["model"] = [model.owner, model.name, model.latest_version.id == versions["hello"], model.visibility]
out["versions"] = [version.id == versions["hello"] for version in model.versions.list().results]
out["version schema"] = list(
    model.versions.get(versions["hello"]).openapi_schema["components"]["schemas"]["Input"]["properties"]
)
made = replicate.models.create(owner=owner, name="made-by-official", visibility="private", hardware="cpu")
out["created"] = [made.name, made.visibility, made.latest_version]
out["hardware"] = [item.sku for item in replicate.hardware.list()]
out["account"] = replicate.Client().accounts.current().username

# An organization, acted for by a header: the client needs to know nothing of it.
asked = urllib.request.Request(
    os.environ["REPLICATE_BASE_URL"] + "/v1/organizations",
    data=json.dumps({"username": "official-org"}).encode(),
    headers={
        "Authorization": "Bearer " + os.environ["REPLICATE_API_TOKEN"],
        "Content-Type": "application/json",
    },
)
urllib.request.urlopen(asked).close()
acting = replicate.Client(headers={"Cogyard-Account": "official-org"})
made = acting.models.create(owner="official-org", name="shared", visibility="private", hardware="cpu")
ran = acting.run(f"{owner}/hello:{versions['hello']}", input={"text": "o"})
ours = replicate.models.create(owner="official-org", name="by-name", visibility="private", hardware="cpu")
out["organization"] = [
    acting.accounts.current().username,
    acting.accounts.current().type,
    made.owner,
    ours.owner,
    ran,
    len(list(acting.predictions.list())),
]

stored = replicate.files.create(io.BytesIO(b"kept"), filename="kept.txt", metadata={"a": "b"})
out["stored"] = [
    stored.name,
    stored.size,
    stored.metadata,
    replicate.files.get(stored.id).checksums["sha256"][:8],
]
out["files"] = stored.id in [item.id for item in replicate.files.list()]
out["deleted"] = replicate.files.delete(stored.id)
out["secret"] = replicate.webhooks.default.secret().key[:6]

found = replicate.models.search("hello")
out["search"] = [model.name for model in found.results]
out["models"] = isinstance(replicate.models.list().results, list)
made = replicate.models.create(owner=owner, name="empty", visibility="private", hardware="cpu")
out["delete model"] = replicate.models.delete(owner, "empty")
by_model = replicate.models.predictions.create(f"{owner}/hello", input={"text": "m"})
by_model.wait()
out["model prediction"] = by_model.output

deployment = replicate.deployments.create(
    name="front",
    model=f"{owner}/hello",
    version=versions["hello"],
    hardware="cpu",
    min_instances=0,
    max_instances=1,
)
release = deployment.current_release
out["deployment"] = [deployment.id, release.number, release.configuration.max_instances, release.created_by.username]
changed = replicate.deployments.update(owner, "front", max_instances=2)
out["release"] = [changed.current_release.number, changed.current_release.configuration.max_instances]
out["deployments"] = [item.name for item in replicate.deployments.list().results]
through = replicate.deployments.predictions.create(f"{owner}/front", input={"text": "d"})
through.wait()
out["deployment prediction"] = through.output
again = replicate.deployments.get(f"{owner}/front").predictions.create(input={"text": "e"})
again.wait()
out["deployment's prediction"] = again.output
out["delete deployment"] = replicate.deployments.delete(owner, "front")

replicate.models.create(owner=owner, name="learned", visibility="private", hardware="cpu")
training = replicate.trainings.create(
    version=f"{owner}/learn:{versions['learn']}", input={"word": "one"}, destination=f"{owner}/learned"
)
out["training"] = training.status
while training.status not in ("succeeded", "failed", "canceled"):
    time.sleep(0.1)
    training.reload()
out["trained"] = [training.status, training.destination]
out["learned"] = replicate.run(training.output["version"], input={})
out["trainings"] = replicate.trainings.list().results[0].id == training.id
stopped = replicate.trainings.create(
    model=f"{owner}/learn",
    version=versions["learn"],
    input={"word": "two"},
    destination=f"{owner}/learned",
)
stopped.cancel()
out["training stopped"] = replicate.trainings.get(stopped.id).status in ("canceled", "succeeded")
out["training as prediction"] = replicate.predictions.get(training.id).id == training.id
try:
    replicate.trainings.create(
        model=f"{owner}/learn", version=versions["learn"], input={"word": "x"}, destination="nobody/nothing"
    )
except ReplicateError as error:
    out["bad destination"] = error.status
out["collections"] = replicate.collections.list().results
try:
    replicate.collections.get("none")
except ReplicateError as error:
    out["missing collection"] = error.status
learned = replicate.models.get(f"{owner}/learned")
# The API answers 202, of which this client says False though it worked (wire gotcha 11).
gone = training.output["version"].split(":")[1]
out["version deleted"] = learned.versions.delete(gone)
# The training that was stopped may have been quicker, and made another.
out["versions left"] = sum(version.id == gone for version in learned.versions.list().results)

print(json.dumps(out))
