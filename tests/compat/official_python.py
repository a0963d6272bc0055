"""What a user of the official Python client does: every one of its operations, in both of their ways.

Run in an environment where only that client is installed, and once more with ours, for which code like this is to run
unchanged. Prints one JSON object of what came out; `test_official_python.py` checks it. What it makes is named with MARK,
so that nobody else's things are met on a shared platform.
"""

import asyncio
import base64
import hashlib
import hmac
import importlib
import inspect
import io
import json
import os
import pkgutil
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import replicate
from official_calls import Calls
from replicate.exceptions import ModelError, ReplicateError, ReplicateException
from replicate.helpers import FileOutput
from replicate.resource import Namespace, Resource
from replicate.webhook import InvalidSignatureError

owner, versions, mark = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
out = {"client": replicate.__version__ if hasattr(replicate, "__version__") else None}

calls = Calls()
for found in pkgutil.iter_modules(replicate.__path__):
    module = importlib.import_module(f"replicate.{found.name}")
    for cls in list(vars(module).values()):
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and issubclass(cls, (Namespace, Resource)):
            calls.watch(cls)
            for nested in [item for item in vars(cls).values() if inspect.isclass(item)]:
                if issubclass(nested, Namespace):
                    calls.watch(nested, f"{cls.__name__}.{nested.__name__}")
calls.watch(replicate.Client)
calls.watch(FileOutput, iterators=True)
for name in ("run", "async_run", "stream", "async_stream"):
    setattr(replicate, name, calls.noted(getattr(replicate, name), f"Client.{name}"))
for name in ("paginate", "async_paginate"):
    setattr(replicate, name, calls.noted(getattr(replicate, name), name))


def api(path, body, method="POST"):
    """Ask the platform for what this client has no words for."""
    headers = {
        "Authorization": "Bearer " + os.environ["REPLICATE_API_TOKEN"],
        "Content-Type": "application/json",
    }
    url = os.environ["REPLICATE_BASE_URL"] + "/v1" + path
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)).close()


def problem(call, *args, **kwargs):
    """Return the status of the error that a call raises."""
    try:
        call(*args, **kwargs)
    except ReplicateError as error:
        return error.status


out["run by name"] = replicate.run(f"{owner}/hello", input={"text": "a"})
out["run by version"] = replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": "b"})
out["run by polling"] = replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": "c"}, wait=False)
several = replicate.run(f"{owner}/words:{versions['words']}", input={})
out["several values"] = several if isinstance(several, list) else type(several).__name__

file = replicate.run(f"{owner}/copy:{versions['copy']}", input={"file": io.BytesIO(b"abc")})
out["file"] = [type(file).__name__, file.read().decode()]
out["file in pieces"] = b"".join(file).decode()
file = replicate.run(
    f"{owner}/copy:{versions['copy']}", input={"file": io.BytesIO(b"xyz")}, file_encoding_strategy="base64"
)
out["file as data"] = file.read().decode()
out["file as text"] = type(
    replicate.run(f"{owner}/copy", input={"file": io.BytesIO(b"xyz")}, use_file_output=False)
).__name__
path = Path(tempfile.mkdtemp()) / "twice.bin"
path.write_bytes(b"twice")
with path.open("rb") as handle:
    out["one file thrice"] = [
        replicate.run(f"{owner}/copy", input={"file": given}).read().decode() for given in (path, handle, handle)
    ]

out["stream"] = [
    [event.event.value, event.data] for event in replicate.stream(f"{owner}/count", input={"to": 3})
]
out["iterator"] = list(replicate.run(f"{owner}/count:{versions['count']}", input={"to": 4}))
out["iterator polling"] = list(
    replicate.run(f"{owner}/count:{versions['count']}", input={"to": 2}, wait=False)
)
out["list of a bare name"] = replicate.run(f"{owner}/count", input={"to": 2})

prediction = replicate.predictions.create(version=versions["count"], input={"to": 600, "pause": 1})
prediction.reload()
prediction.cancel()
prediction.wait()
out["cancel"] = prediction.status
out["cancel by id"] = replicate.predictions.cancel(prediction.id).id == prediction.id
out["get"] = replicate.predictions.get(prediction.id).status
out["as dict"] = [dict(prediction)["id"] == prediction.id, prediction.dict()["status"], json.loads(prediction.json())["status"]]
page = replicate.predictions.list()
out["list"] = [len(page.results) > 0, page.results[0].id == prediction.id]
out["pages"] = next(iter(replicate.paginate(replicate.predictions.list)))[0].id == prediction.id
followed = replicate.predictions.create(model=f"{owner}/count", input={"to": 3}, stream=True)
out["stream of a prediction"] = "".join(str(event) for event in followed.stream())
followed = replicate.predictions.create(version=versions["count"], input={"to": 3, "pause": 0.1})
out["output as it comes"] = list(followed.output_iterator())

try:
    list(replicate.run(f"{owner}/count:{versions['count']}", input={"to": 1, "fail": True}))
except ModelError as error:
    out["model error"] = error.prediction.error
out["bad input"] = problem(replicate.run, f"{owner}/hello:{versions['hello']}", input={"text": 5})
out["missing model"] = problem(replicate.run, "nobody/nothing", input={})
out["wrong token"] = problem(replicate.Client(api_token="wrong").predictions.list)
try:
    replicate.run("no name", input={})
except ValueError:
    out["no name"] = True

model = replicate.models.get(f"{owner}/hello")
model.reload()  # the official client makes dicts of the objects in it
out["model reloaded"] = model.id
model = replicate.models.get(f"{owner}/hello")
out["model"] = [model.owner, model.name, model.latest_version.id == versions["hello"], model.visibility]
out["model by two"] = replicate.models.get(owner, "hello").id
out["versions"] = [version.id == versions["hello"] for version in model.versions.list().results]
version = model.versions.get(versions["hello"])
out["version schema"] = list(version.openapi_schema["components"]["schemas"]["Input"]["properties"])
out["version created"] = version.created_at.year >= 2026
out["run of objects"] = [replicate.run(version, input={"text": "v"}), replicate.run(model, input={"text": "m"})]
try:
    model.predict(text="x")
except ReplicateException:
    out["predict is no more"] = True
made = replicate.models.create(owner=owner, name=f"made-{mark}", visibility="private", hardware="cpu")
out["created"] = [made.name == f"made-{mark}", made.visibility, made.latest_version]
out["hardware"] = [item.sku for item in replicate.hardware.list()]
out["account"] = replicate.Client().accounts.current().username

# An organization, acted for by a header: the client needs to know nothing of it.
api("/organizations", {"username": f"org-{mark}"})
acting = replicate.Client(headers={"Cogyard-Account": f"org-{mark}"})
made = acting.models.create(owner=f"org-{mark}", name="shared", visibility="private", hardware="cpu")
ran = acting.run(f"{owner}/hello:{versions['hello']}", input={"text": "o"})
ours = replicate.models.create(owner=f"org-{mark}", name="by-name", visibility="private", hardware="cpu")
out["organization"] = [
    acting.accounts.current().username == made.owner == ours.owner == f"org-{mark}",
    acting.accounts.current().type,
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

secret = replicate.webhooks.default.secret()
out["secret"] = secret.key[:6]
stamp = str(int(time.time()))
signed = hmac.new(base64.b64decode(secret.key[6:]), f"msg_1.{stamp}.{{}}".encode(), hashlib.sha256).digest()
headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": stamp,
    "webhook-signature": "v1," + base64.b64encode(signed).decode(),
}
out["validate"] = replicate.webhooks.validate(headers=headers, body="{}", secret=secret)
try:
    replicate.webhooks.validate(headers=headers, body="{ }", secret=secret, tolerance=60)
except InvalidSignatureError:
    out["forged"] = True

out["search"] = "hello" in [model.name for model in replicate.models.search("hello").results]
out["models"] = isinstance(replicate.models.list().results, list)
out["delete model"] = replicate.models.delete(owner, f"made-{mark}")
by_model = replicate.models.predictions.create(f"{owner}/hello", input={"text": "m"})
by_model.wait()
out["model prediction"] = by_model.output

front = f"front-{mark}"
settings = {
    "model": f"{owner}/hello",
    "version": versions["hello"],
    "hardware": "cpu",
    "min_instances": 0,
    "max_instances": 1,
}
deployment = replicate.deployments.create(name=front, **settings)
release = deployment.current_release
out["deployment"] = [
    deployment.id == f"{owner}/{front}",
    release.number,
    release.configuration.max_instances,
    release.created_by.username,
]
changed = replicate.deployments.update(owner, front, max_instances=2)
out["release"] = [changed.current_release.number, changed.current_release.configuration.max_instances]
out["deployments"] = front in [item.name for item in replicate.deployments.list().results]
ran = [
    replicate.deployments.predictions.create(f"{owner}/{front}", input={"text": "d"}),
    replicate.deployments.get(f"{owner}/{front}").predictions.create(input={"text": "e"}),
    replicate.predictions.create(deployment=deployment, input={"text": "f"}),
    replicate.predictions.create(deployment=(owner, front), input={"text": "g"}),
]
for prediction in ran:
    prediction.wait()
out["deployment predictions"] = [prediction.output for prediction in ran]
out["delete deployment"] = replicate.deployments.delete(owner, front)

learned = f"learned-{mark}"
replicate.models.create(owner=owner, name=learned, visibility="private", hardware="cpu")
training = replicate.trainings.create(
    version=f"{owner}/learn:{versions['learn']}", input={"word": "one"}, destination=f"{owner}/{learned}"
)
out["training"] = training.status
while training.status not in ("succeeded", "failed", "canceled"):
    time.sleep(0.1)
    training.reload()
out["trained"] = [training.status, training.destination == f"{owner}/{learned}"]
out["learned"] = replicate.run(training.output["version"], input={})
out["trainings"] = training.id in [item.id for item in replicate.trainings.list().results]
stopped = replicate.trainings.create(
    model=(owner, "learn"), version=versions["learn"], input={"word": "two"}, destination=(owner, learned)
)
stopped.cancel()
replicate.trainings.cancel(stopped.id)
out["training stopped"] = replicate.trainings.get(stopped.id).status in ("canceled", "succeeded")
out["training as prediction"] = replicate.predictions.get(training.id).id == training.id
out["bad destination"] = problem(
    replicate.trainings.create,
    model=f"{owner}/learn",
    version=versions["learn"],
    input={"word": "x"},
    destination="nobody/nothing",
)

api(f"/collections/{mark}", {"name": "Mine", "description": "Some"}, "PUT")
api(f"/collections/{mark}/models/{owner}/hello", {}, "PUT")
out["collections"] = mark in [item.slug for item in replicate.collections.list().results]
collection = replicate.collections.get(mark)
out["collection"] = [collection.name, len(collection), [model.name for model in collection], collection[0].name]
out["missing collection"] = problem(replicate.collections.get, "none")


async def asynchronously():
    """Do it all once more without blocking; return what came out."""
    found = {}
    hello = f"{owner}/hello:{versions['hello']}"
    found["run"] = await replicate.async_run(hello, input={"text": "d"})
    found["together"] = await asyncio.gather(
        *[replicate.async_run(hello, input={"text": text}) for text in "abc"]
    )
    for wait in (True, False):
        pieces = await replicate.async_run(f"{owner}/count:{versions['count']}", input={"to": 2}, wait=wait)
        found[f"iterator, wait={wait}"] = [piece async for piece in pieces]
    events = await replicate.async_stream(f"{owner}/count", input={"to": 2})
    found["stream"] = "".join([str(event) async for event in events])
    file = await replicate.async_run(f"{owner}/copy", input={"file": io.BytesIO(b"abc")})
    found["file"] = [(await file.aread()).decode(), b"".join([piece async for piece in file]).decode()]
    prediction = await replicate.predictions.async_create(version=versions["count"], input={"to": 600, "pause": 1})
    await prediction.async_reload()
    await prediction.async_cancel()
    await prediction.async_wait()
    await replicate.predictions.async_cancel(prediction.id)
    found["cancel"] = (await replicate.predictions.async_get(prediction.id)).status
    found["list"] = prediction.id in [item.id for item in await replicate.predictions.async_list()]
    async for page in replicate.async_paginate(replicate.predictions.async_list):
        found["pages"] = len(page) > 0
        break
    followed = await replicate.predictions.async_create(model=f"{owner}/count", input={"to": 2}, stream=True)
    found["prediction's stream"] = "".join([str(event) async for event in followed.async_stream()])
    followed = await replicate.models.predictions.async_create(
        (owner, "count"), input={"to": 2, "pause": 0.1}
    )
    found["output"] = [item async for item in followed.async_output_iterator()]

    model = await replicate.models.async_get(owner, "hello")
    found["model"] = model.id
    found["versions"] = versions["hello"] in [item.id for item in (await model.versions.async_list()).results]
    found["version"] = (await model.versions.async_get(versions["hello"])).id == versions["hello"]
    created = await replicate.models.async_create(owner, f"a-{mark}", visibility="private", hardware="cpu")
    found["created"] = await replicate.models.async_delete(created.owner, created.name)
    found["models"] = isinstance((await replicate.models.async_list()).results, list)
    found["search"] = "hello" in [item.name for item in await replicate.models.async_search("hello")]
    found["account"] = (await replicate.default_client.accounts.async_current()).username
    found["hardware"] = [item.sku for item in await replicate.hardware.async_list()]
    found["secret"] = (await replicate.webhooks.default.async_secret()).key == secret.key
    found["collections"] = mark in [item.slug for item in await replicate.collections.async_list()]
    found["collection"] = (await replicate.collections.async_get(mark)).models[0].name

    stored = await replicate.files.async_create(io.BytesIO(b"kept"), filename="kept.txt")
    found["stored"] = (await replicate.files.async_get(stored.id)).size
    found["files"] = stored.id in [item.id for item in await replicate.files.async_list()]
    found["deleted"] = await replicate.files.async_delete(stored.id)

    front = f"async-{mark}"
    made = await replicate.deployments.async_create(name=front, **settings)
    changed = await replicate.deployments.async_update(owner, front, max_instances=2)
    found["release"] = [made.current_release.number, changed.current_release.number]
    found["deployments"] = front in [item.name for item in await replicate.deployments.async_list()]
    got = await replicate.deployments.async_get(f"{owner}/{front}")
    ran = [
        await got.predictions.async_create(input={"text": "d"}),
        await replicate.deployments.predictions.async_create((owner, front), input={"text": "e"}),
        await replicate.predictions.async_create(deployment=f"{owner}/{front}", input={"text": "f"}),
    ]
    for prediction in ran:
        await prediction.async_wait()
    found["deployment predictions"] = [prediction.output for prediction in ran]
    found["delete deployment"] = await replicate.deployments.async_delete(owner, front)

    training = await replicate.trainings.async_create(
        (owner, "learn"), versions["learn"], {"word": "three"}, destination=f"{owner}/{learned}"
    )
    await training.async_cancel()
    await replicate.trainings.async_cancel(training.id)
    await training.async_reload()
    found["training"] = training.status in ("canceled", "succeeded")
    found["trainings"] = training.id in [item.id for item in (await replicate.trainings.async_list()).results]
    found["training got"] = (await replicate.trainings.async_get(training.id)).id == training.id
    return found


out["asynchronously"] = asyncio.run(asynchronously())

destination = replicate.models.get(f"{owner}/{learned}")
# The API answers 202, of which the official client says False though it worked (wire gotcha 11).
gone = training.output["version"].split(":")[1]
out["version deleted"] = destination.versions.delete(gone)


async def again():
    """Delete it once more, by a client of this event loop: the official one's connections are of its first."""
    model = await replicate.Client().models.async_get(owner, learned)
    await model.versions.async_delete(gone)


out["version deleted again"] = problem(lambda: asyncio.run(again()))
# The trainings that were stopped may have been quicker, and made others.
out["versions left"] = sum(version.id == gone for version in destination.versions.list().results)

print(json.dumps({**out, **calls.told()}))
