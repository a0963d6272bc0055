// What a user of the official JavaScript client does. Prints one JSON object; test_official_node.py checks it.
// Every function of a client is an operation, and so is what its index.d.ts exports; what it makes is named with MARK.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import Replicate, { parseProgressFromLogs, validateWebhook } from "replicate";

const [owner, versionsText, mark] = process.argv.slice(2);
const versions = JSON.parse(versionsText);
const replicate = new Replicate({ baseUrl: `${process.env.REPLICATE_BASE_URL}/v1` });
const out = {};

const operations = new Set();
const called = new Set();
const noted = (call, name) => {
  operations.add(name);
  return (...args) => {
    called.add(name);
    return call(...args);
  };
};
function watch(holder, path) {
  for (const [name, value] of Object.entries(holder)) {
    if (path === "" && name === "fetch") continue; // given, not offered
    if (typeof value === "function") holder[name] = noted(value, path + name);
    else if (value && typeof value === "object" && !Array.isArray(value)) watch(value, `${path}${name}.`);
  }
}
watch(replicate, "");
for (const name of Object.getOwnPropertyNames(Replicate.prototype))
  if (name !== "constructor") replicate[name] = noted(replicate[name].bind(replicate), name);
const progressOf = noted(parseProgressFromLogs, "parseProgressFromLogs");
const validate = noted(validateWebhook, "validateWebhook");
// What the types promise and the object lacks would be missed above.
const types = readFileSync("node_modules/replicate/index.d.ts", "utf8");
const promised = new Set();
const path = [];
for (const line of types.slice(types.indexOf("auth: string;")).split("\n")) {
  const opens = line.match(/^ {4}( *)(\w+): \{$/);
  const offers = line.match(/^ {4}( *)(\w+)(?:<T>)?\($/) ?? line.match(/^ {4}( *)(\w+)(?:<T>)?\(.*\): (?:Promise|AsyncGenerator)/);
  const [, indent, name] = opens ?? offers ?? [];
  if (name === undefined || (opens && ["deployment_config", "options"].includes(name))) continue;
  path.length = indent.length / 2;
  if (opens) path.push(name);
  else promised.add([...path, name].join("."));
  if (line === "  }") break;
}
for (const [, name] of types.matchAll(/export function (\w+)/g)) promised.add(name);
const api = (path, body, method = "POST") => fetch(`${process.env.REPLICATE_BASE_URL}/v1${path}`, {
  method,
  headers: { Authorization: `Bearer ${process.env.REPLICATE_API_TOKEN}`, "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const read = async (file) => Buffer.from(await (await file.blob()).arrayBuffer()).toString();

out["run by name"] = await replicate.run(`${owner}/hello`, { input: { text: "a" } });
out["run by version"] = await replicate.run(`${owner}/hello:${versions.hello}`, { input: { text: "b" } });
out["run by polling"] = await replicate.run(`${owner}/hello:${versions.hello}`, {
  input: { text: "c" },
  wait: { mode: "poll", interval: 50 },
});
out["file"] = await read(await replicate.run(`${owner}/copy:${versions.copy}`, { input: { file: Buffer.from("abc") } }));

const events = [];
for await (const event of replicate.stream(`${owner}/count`, { input: { to: 3 } })) events.push([event.event, event.data]);
out["stream"] = events;
out["iterator"] = await replicate.run(`${owner}/count:${versions.count}`, { input: { to: 4 } });

const started = await replicate.predictions.create({ version: versions.count, input: { to: 600, pause: 1 } });
await replicate.predictions.cancel(started.id);
out["cancel"] = (await replicate.wait(started, { interval: 50 })).status;
out["list"] = (await replicate.predictions.list()).results[0].id === started.id;

const failing = (promise) => promise.then(() => "no error", (error) => error.response?.status ?? error.message);
out["model error"] = await failing(replicate.run(`${owner}/count:${versions.count}`, { input: { to: 1, fail: true } }));
out["bad input"] = await failing(replicate.run(`${owner}/hello:${versions.hello}`, { input: { text: 5 } }));
out["missing model"] = await failing(replicate.run("nobody/nothing", { input: {} }));

const model = await replicate.models.get(owner, "hello");
out["model"] = [model.owner, model.name, model.latest_version.id === versions.hello];
out["account"] = (await replicate.accounts.current()).username;
// An organization, acted for by a header that a fetch of one's own adds.
await api("/organizations", { username: `org-${mark}` });
const acting = new Replicate({
  baseUrl: `${process.env.REPLICATE_BASE_URL}/v1`,
  fetch: (url, init) => {
    const headers = new Headers(init.headers);
    headers.set("Cogyard-Account", `org-${mark}`);
    return fetch(url, { ...init, headers });
  },
});
const ran = await acting.run(`${owner}/hello:${versions.hello}`, { input: { text: "o" } });
out["organization"] = [
  (await acting.accounts.current()).type,
  (await acting.models.create(`org-${mark}`, "shared", { visibility: "private", hardware: "cpu" })).owner === `org-${mark}`,
  ran,
  (await acting.predictions.list()).results.length,
];
out["hardware"] = (await replicate.hardware.list()).map((item) => item.sku);
const stored = await replicate.files.create(Buffer.from("kept"), { a: "b" });
out["stored"] = [stored.size, (await replicate.files.get(stored.id)).id === stored.id];
await replicate.files.delete(stored.id);
out["deleted"] = await failing(replicate.files.get(stored.id));
const found = await replicate.models.search("hello");
out["search"] = found.results.some((item) => item.name === "hello");
out["models"] = Array.isArray((await replicate.models.list()).results);
out["created"] = (await replicate.models.create(owner, `made-${mark}`, { visibility: "private", hardware: "cpu" })).name === `made-${mark}`;
out["versions"] = (await replicate.models.versions.list(owner, "hello")).results[0].id === versions.hello;
out["version"] = (await replicate.models.versions.get(owner, "hello", versions.hello)).id === versions.hello;
out["files"] = Array.isArray((await replicate.files.list()).results);
out["secret"] = (await replicate.webhooks.default.secret.get()).key.slice(0, 6);
const secret = (await replicate.webhooks.default.secret.get()).key;
const timestamp = String(Math.floor(Date.now() / 1000));
const mac = createHmac("sha256", Buffer.from(secret.slice(6), "base64")).update(`msg_1.${timestamp}.{}`).digest("base64");
const delivery = { id: "msg_1", timestamp, body: "{}", secret, signature: `v1,${mac}` };
out["webhooks"] = [await validate(delivery), await validate({ ...delivery, body: "{ }" })];
out["progress"] = progressOf("  5%|▌         | 1/20 [00:01<00:19]\n 50%|█████     | 10/20 [00:10<00:10]");
out["request"] = (await (await replicate.request("/account", {})).json()).username;
out["file's stream"] = [];
for await (const piece of await replicate.run(`${owner}/copy`, { input: { file: Buffer.from("abc") } }))
  out["file's stream"].push(Buffer.from(piece).toString());
const uploading = new Replicate({ baseUrl: replicate.baseUrl, fileEncodingStrategy: "upload", useFileOutput: false });
out["upload"] = typeof (await uploading.run(`${owner}/copy`, { input: { file: Buffer.from("abc") } }));
out["get"] = (await replicate.predictions.get(started.id)).status;
const pages = [];
for await (const page of replicate.paginate(replicate.predictions.list)) pages.push(page.length);
out["paginate"] = pages.length > 0 && pages[0] > 0;

const front = `front-${mark}`;
const settings = { model: `${owner}/hello`, version: versions.hello, hardware: "cpu", min_instances: 0, max_instances: 1 };
const deployment = await replicate.deployments.create({ name: front, ...settings });
out["deployment"] = [deployment.owner, deployment.name === front, deployment.current_release.number];
const changed = await replicate.deployments.update(owner, front, { max_instances: 2 });
out["release"] = changed.current_release.number;
out["deployments"] = (await replicate.deployments.list()).results.some((item) => item.name === front);
out["deployment get"] = (await replicate.deployments.get(owner, front)).current_release.configuration.max_instances;
const through = await replicate.deployments.predictions.create(owner, front, { input: { text: "d" } });
out["deployment prediction"] = (await replicate.wait(through, { interval: 50 })).output;
out["delete deployment"] = await replicate.deployments.delete(owner, front);

await replicate.models.create(owner, `learned-${mark}`, { visibility: "private", hardware: "cpu" });
const destination = `${owner}/learned-${mark}`;
const training = await replicate.trainings.create(owner, "learn", versions.learn, { destination, input: { word: "one" } });
out["training"] = training.status;
let state = training;
while (!["succeeded", "failed", "canceled"].includes(state.status)) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  state = await replicate.trainings.get(training.id);
}
out["trained"] = [state.status, state.output.version.split(":")[0] === destination];
out["learned"] = await replicate.run(state.output.version, { input: {} });
out["trainings"] = (await replicate.trainings.list()).results[0].id === training.id;
const stopped = await replicate.trainings.create(owner, "learn", versions.learn, { destination, input: { word: "two" } });
await replicate.trainings.cancel(stopped.id);
out["training stopped"] = ["canceled", "succeeded"].includes((await replicate.trainings.get(stopped.id)).status);
await api(`/collections/${mark}`, { name: "Mine", description: "Some" }, "PUT");
await api(`/collections/${mark}/models/${owner}/hello`, {}, "PUT");
out["collections"] = (await replicate.collections.list()).results.some((item) => item.slug === mark);
out["collection"] = (await replicate.collections.get(mark)).models.map((item) => item.name);
out["missing collection"] = await failing(replicate.collections.get("none"));
const differing = (one, other) => [...one].filter((name) => !other.has(name)).sort();
out["operations"] = operations.size;
out["left out"] = differing(operations, called);
out["promised and not there"] = differing(promised, operations);
out["there and not promised"] = differing(operations, promised);
console.log(JSON.stringify(out));
