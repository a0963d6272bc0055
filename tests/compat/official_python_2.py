"""What a user of the second generation of the official Python client does: every one of its operations, in both ways.

Prints one JSON object of what came out; `test_official_python_2.py` checks it. Its client checks each answer against
its own types.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import importlib
import inspect
import io
import json
import os
import pkgutil
import sys
import time
import urllib.request
import warnings

import replicate
import replicate.resources
from official_calls import Calls
from replicate import APIStatusError, AsyncReplicate, Replicate
from replicate._resource import AsyncAPIResource, SyncAPIResource
from replicate.lib import _files, _predictions_use

warnings.simplefilter("ignore", DeprecationWarning)  # its stream() is on its way out
owner, versions, mark = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
calls = Calls()
for found in pkgutil.walk_packages(replicate.resources.__path__, "replicate.resources."):
    module = importlib.import_module(found.name)
    for cls in list(vars(module).values()):
        if inspect.isclass(cls) and cls.__module__ == found.name and issubclass(cls, (SyncAPIResource, AsyncAPIResource)):
            calls.watch(cls, f"{found.name.removeprefix('replicate.resources.')}.{cls.__name__}")
for cls in (Replicate, AsyncReplicate):
    calls.watch(cls)
for module in (_files, _predictions_use):
    for cls in list(vars(module).values()):
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and cls.__name__ not in ("FunctionRef", "URLPath"):
            calls.watch(cls, iterators=True)

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


def api(path, body):
    """Ask the platform for what this client has no words for."""
    headers = {"Authorization": f"Bearer {client.bearer_token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(str(client.base_url) + path, json.dumps(body).encode(), headers, method="PUT")
    urllib.request.urlopen(asked).close()


api(f"collections/{mark}", {"name": "Mine", "description": "Some"})
api(f"collections/{mark}/models/{owner}/hello", {})

out["run"] = client.run(f"{owner}/hello", input={"text": "a"})
file = client.run(f"{owner}/copy", input={"file": io.BytesIO(b"abc")})
out["file"] = [type(file).__name__, file.read().decode(), b"".join(file).decode()]
use = calls.noted(replicate.use, "use")
try:
    client.use(f"{owner}/hello")
except TypeError:
    out["use of a client"] = "cannot work in this release, whoever answers: it gives itself for a class"
count = use(f"{owner}/count", streaming=True)
out["use"] = [use(f"{owner}/count")(to=2), list(count(to=2)), str(count(to=2))]
hello = use(f"{owner}/hello")
begun = hello.create(text="u")
out["use in steps"] = [begun.output(), isinstance(begun.logs(), str), "Input" in hello.openapi_schema()["components"]["schemas"]]
out["stream"] = list(client.stream(f"{owner}/count", input={"to": 2}))
out["raw"] = client.account.with_raw_response.get().parse().username
with client.account.with_streaming_response.get() as response:
    out["streamed"] = response.parse().username
out["options"] = client.with_options(timeout=9).copy(max_retries=1).account.get().username
out["account.get"] = client.account.get().username
out["hardware.list"] = [item.sku for item in client.hardware.list()]
out["collections.list"] = mark in [item.slug for item in client.collections.list()]
out["collections.one"] = [item.name for item in client.collections.get(collection_slug=mark).models]
out["collections.get"] = status(client.collections.get, collection_slug="none")
out["webhooks.default.secret.get"] = client.webhooks.default.secret.get().key[:6]

model = {"model_owner": owner, "model_name": "hello"}
out["models.get"] = client.models.get(**model).name
made = client.models.create(owner=owner, name=f"two-{mark}", visibility="private", hardware="cpu", description="x")
out["models.create"] = [made.name == f"two-{mark}", made.visibility]
two = {"model_owner": owner, "model_name": f"two-{mark}"}
changed = client.models.update(**two, description="Two words", readme="# Read me", github_url="https://a.test")
out["models.update"] = [changed.description, changed.github_url]
out["models.readme.get"] = client.models.readme.get(**two)
out["models.list"] = isinstance(list(client.models.list(sort_by="model_created_at", sort_direction="asc")), list)
out["models.search"] = made.name in [item.name for item in client.models.search(body="two words")]
out["search"] = made.name in [item.model.name for item in client.search(query=f"two-{mark}").models]
out["models.delete"] = client.models.delete(**two)
out["models.versions.list"] = [item.id for item in client.models.versions.list(**model)] == [versions["hello"]]
version = client.models.versions.get(**model, version_id=versions["hello"])
out["models.versions.get"] = version.id == versions["hello"]

prediction = client.predictions.create(version=versions["hello"], input={"text": "b"}, prefer="wait=30")
out["predictions.create"] = [prediction.status, prediction.output]
out["predictions.get"] = client.predictions.get(prediction_id=prediction.id).id == prediction.id
out["predictions.wait"] = client.predictions.wait(prediction_id=prediction.id).status
out["predictions.list"] = next(iter(client.predictions.list())).id == prediction.id
long = client.predictions.create(version=versions["count"], input={"to": 600, "pause": 1}, cancel_after="60s")
out["predictions.cancel"] = client.predictions.cancel(prediction_id=long.id).status
out["deadline"] = long.deadline is not None
by_model = client.models.predictions.create(**model, input={"text": "c"}, prefer="wait=30")
out["models.predictions.create"] = by_model.output
out["models.examples.list"] = len(list(client.models.examples.list(**model)))

where = {"deployment_owner": owner, "deployment_name": f"two-{mark}"}
deployment = client.deployments.create(
    name=f"two-{mark}", model=f"{owner}/hello", version=versions["hello"], hardware="cpu", min_instances=0, max_instances=1
)
out["deployments.create"] = [deployment.name == f"two-{mark}", deployment.current_release.number]
out["deployments.get"] = client.deployments.get(**where).owner
out["deployments.update"] = client.deployments.update(**where, max_instances=2).current_release.number
out["deployments.list"] = f"two-{mark}" in [item.name for item in client.deployments.list()]
through = client.deployments.predictions.create(**where, input={"text": "d"}, prefer="wait=30")
out["deployments.predictions.create"] = [through.output, through.deployment == f"{owner}/two-{mark}"]
out["deployments.delete"] = client.deployments.delete(**where)

client.models.create(owner=owner, name=f"learned-{mark}", visibility="private", hardware="cpu")
base = {"model_owner": owner, "model_name": "learn", "version_id": versions["learn"]}
training = client.trainings.create(**base, destination=f"{owner}/learned-{mark}", input={"word": "one"})
out["trainings.create"] = training.status
done = ended(lambda id: client.trainings.get(training_id=id), training.id)
out["trainings.get"] = [done.status, done.output.version.split(":")[0] == f"{owner}/learned-{mark}"]
out["trained"] = client.run(done.output.version, input={})
out["trainings.list"] = next(iter(client.trainings.list())).id == training.id
stopped = client.trainings.create(**base, destination=f"{owner}/learned-{mark}", input={"word": "two"})
out["trainings.cancel"] = client.trainings.cancel(training_id=stopped.id).status in ("canceled", "succeeded")
learned = {"model_owner": owner, "model_name": f"learned-{mark}", "version_id": done.output.version.split(":")[1]}
out["models.versions.delete"] = client.models.versions.delete(**learned)

file = client.files.create(content=("kept.txt", b"kept", "text/plain"))
out["files.create"] = file.size
out["files.get"] = client.files.get(file_id=file.id).id == file.id
out["files.list"] = file.id in [item.id for item in client.files.list()]
expiry = int(time.time()) + 60
key = base64.b64decode(client.webhooks.default.secret.get().key.removeprefix("whsec_"))
mac = hmac.new(key, f"{owner} {file.id} {expiry}".encode(), hashlib.sha256).digest()
signed = {"file_id": file.id, "owner": owner, "expiry": expiry, "signature": base64.b64encode(mac).decode()}
out["files.download of a file"] = client.files.download(**signed).read().decode()
out["files.delete"] = client.files.delete(file_id=file.id)
out["files.download"] = status(
    client.files.download, file_id=file.id, owner=owner, expiry=1, signature="bad"
)
out["bad input"] = status(client.predictions.create, version=versions["hello"], input={"text": 5})
out["wrong token"] = status(
    Replicate(base_url=str(client.base_url), bearer_token="wrong").account.get  # noqa: S106 - it is wrong
)


async def asynchronously():
    """Do it all once more without blocking; return what came out."""
    client = AsyncReplicate(base_url=os.environ["REPLICATE_BASE_URL"] + "/v1", _strict_response_validation=True)
    found = {}

    async def status(call, **kwargs):
        try:
            await call(**kwargs)
        except APIStatusError as error:
            return error.status_code

    found["run"] = await client.run(f"{owner}/hello", input={"text": "a"})
    file = await client.run(f"{owner}/copy", input={"file": io.BytesIO(b"abc")})
    found["file"] = [type(file).__name__, (await file.read()).decode(), b"".join([piece async for piece in file]).decode()]
    with contextlib.suppress(TypeError):  # as above
        client.use(f"{owner}/hello")
    count = use(f"{owner}/count", streaming=True, use_async=True)
    found["use"] = [
        await use(f"{owner}/count", use_async=True)(to=2),
        [piece async for piece in await count(to=2)],
        await (await count(to=2)),
    ]
    hello = use(f"{owner}/hello", use_async=True)
    begun = await hello.create(text="u")
    schema = await hello.openapi_schema()
    found["use in steps"] = [await begun.output(), isinstance(await begun.logs(), str), "Input" in schema["components"]["schemas"]]
    pieces = await (await client.stream(f"{owner}/count", input={"to": 2}))
    found["stream"] = [piece async for piece in pieces]
    found["options"] = (await client.with_options(timeout=9).copy(max_retries=1).account.get()).username
    found["account.get"] = (await client.account.get()).username
    found["hardware.list"] = [item.sku for item in await client.hardware.list()]
    found["collections.list"] = mark in [item.slug async for item in client.collections.list()]
    found["collections.get"] = (await client.collections.get(collection_slug=mark)).name
    found["webhooks.default.secret.get"] = (await client.webhooks.default.secret.get()).key[:6]

    model = {"model_owner": owner, "model_name": "hello"}
    mine = {"model_owner": owner, "model_name": f"async-{mark}"}
    found["models.get"] = (await client.models.get(**model)).name
    await client.models.create(owner=owner, name=mine["model_name"], visibility="private", hardware="cpu")
    changed = await client.models.update(**mine, description="Three words", readme="# Read me")
    found["models.update"] = changed.description
    found["models.readme.get"] = await client.models.readme.get(**mine)
    found["models.list"] = isinstance([item async for item in client.models.list()], list)
    searched = [item.name async for item in client.models.search(body="three words")]
    found["models.search"] = mine["model_name"] in searched
    found["search"] = mine["model_name"] in [item.model.name for item in (await client.search(query=mine["model_name"])).models]
    found["models.delete"] = await client.models.delete(**mine)
    found["models.versions.list"] = versions["hello"] in [item.id async for item in client.models.versions.list(**model)]
    version = await client.models.versions.get(**model, version_id=versions["hello"])
    found["models.versions.get"] = version.id == versions["hello"]
    found["models.examples.list"] = len([item async for item in client.models.examples.list(**model)])

    made = await client.predictions.create(version=versions["hello"], input={"text": "b"}, prefer="wait=30")
    found["predictions.create"] = [made.status, made.output]
    found["predictions.get"] = (await client.predictions.get(prediction_id=made.id)).id == made.id
    found["predictions.wait"] = (await client.predictions.wait(prediction_id=made.id)).status
    async for item in client.predictions.list():
        found["predictions.list"] = item.id == made.id
        break
    long = await client.predictions.create(version=versions["count"], input={"to": 600, "pause": 1})
    found["predictions.cancel"] = (await client.predictions.cancel(prediction_id=long.id)).status
    by_model = await client.models.predictions.create(**model, input={"text": "c"}, prefer="wait=30")
    found["models.predictions.create"] = by_model.output

    where = {"deployment_owner": owner, "deployment_name": f"async-{mark}"}
    settings = {"model": f"{owner}/hello", "version": versions["hello"], "hardware": "cpu"}
    await client.deployments.create(name=f"async-{mark}", **settings, min_instances=0, max_instances=1)
    found["deployments.get"] = (await client.deployments.get(**where)).owner
    found["deployments.update"] = (await client.deployments.update(**where, max_instances=2)).current_release.number
    found["deployments.list"] = f"async-{mark}" in [item.name async for item in client.deployments.list()]
    through = await client.deployments.predictions.create(**where, input={"text": "d"}, prefer="wait=30")
    found["deployments.predictions.create"] = through.output
    found["deployments.delete"] = await client.deployments.delete(**where)

    training = await client.trainings.create(**base, destination=f"{owner}/learned-{mark}", input={"word": "three"})
    stopped = await client.trainings.cancel(training_id=training.id)
    found["trainings.cancel"] = stopped.status in ("canceled", "succeeded")
    found["trainings.get"] = (await client.trainings.get(training_id=training.id)).id == training.id
    found["trainings.list"] = training.id in [item.id async for item in client.trainings.list()]
    found["models.versions.delete"] = await status(
        client.models.versions.delete, **model, version_id="0" * 64
    )

    stored = await client.files.create(content=("kept.txt", b"kept", "text/plain"))
    found["files.get"] = (await client.files.get(file_id=stored.id)).size
    found["files.list"] = stored.id in [item.id async for item in client.files.list()]
    found["files.delete"] = await client.files.delete(file_id=stored.id)
    found["files.download"] = await status(
        client.files.download, file_id=stored.id, owner=owner, expiry=1, signature="bad"
    )
    return found


out["asynchronously"] = asyncio.run(asynchronously())
print(json.dumps({**out, **calls.told()}))
