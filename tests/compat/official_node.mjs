// What a user of the official JavaScript client does. Prints one JSON object; test_official_node.py checks it.
import Replicate from "replicate";

const [owner, versionsText] = process.argv.slice(2);
const versions = JSON.parse(versionsText);
const replicate = new Replicate({ baseUrl: `${process.env.REPLICATE_BASE_URL}/v1` });
const out = {};
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
const api = (path, body) => fetch(`${process.env.REPLICATE_BASE_URL}/v1${path}`, {
  method: "POST",
  headers: { Authorization: `Bearer ${process.env.REPLICATE_API_TOKEN}`, "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
await api("/organizations", { username: "node-org" });
const acting = new Replicate({
  baseUrl: `${process.env.REPLICATE_BASE_URL}/v1`,
  fetch: (url, init) => {
    const headers = new Headers(init.headers);
    headers.set("Cogyard-Account", "node-org");
    return fetch(url, { ...init, headers });
  },
});
const ran = await acting.run(`${owner}/hello:${versions.hello}`, { input: { text: "o" } });
out["organization"] = [
  (await acting.accounts.current()).type,
  (await acting.models.create("node-org", "shared", { visibility: "private", hardware: "cpu" })).owner,
  ran,
  (await acting.predictions.list()).results.length,
];
out["hardware"] = (await replicate.hardware.list()).map((item) => item.sku);
const stored = await replicate.files.create(Buffer.from("kept"), { a: "b" });
out["stored"] = [stored.size, (await replicate.files.get(stored.id)).id === stored.id];
await replicate.files.delete(stored.id);
out["deleted"] = await failing(replicate.files.get(stored.id));
const found = await replicate.models.search("hello");
out["search"] = found.results.map((item) => item.name);
out["models"] = Array.isArray((await replicate.models.list()).results);
out["created"] = (await replicate.models.create(owner, "made-by-node", { visibility: "private", hardware: "cpu" })).name;
out["versions"] = (await replicate.models.versions.list(owner, "hello")).results[0].id === versions.hello;
out["version"] = (await replicate.models.versions.get(owner, "hello", versions.hello)).id === versions.hello;
out["files"] = Array.isArray((await replicate.files.list()).results);
out["secret"] = (await replicate.webhooks.default.secret.get()).key.slice(0, 6);
out["get"] = (await replicate.predictions.get(started.id)).status;
const pages = [];
for await (const page of replicate.paginate(replicate.predictions.list)) pages.push(page.length);
out["paginate"] = pages.length > 0 && pages[0] > 0;

const settings = { model: `${owner}/hello`, version: versions.hello, hardware: "cpu", min_instances: 0, max_instances: 1 };
const deployment = await replicate.deployments.create({ name: "node-front", ...settings });
out["deployment"] = [deployment.owner, deployment.name, deployment.current_release.number];
const changed = await replicate.deployments.update(owner, "node-front", { max_instances: 2 });
out["release"] = changed.current_release.number;
out["deployments"] = (await replicate.deployments.list()).results.some((item) => item.name === "node-front");
out["deployment get"] = (await replicate.deployments.get(owner, "node-front")).current_release.configuration.max_instances;
const through = await replicate.deployments.predictions.create(owner, "node-front", { input: { text: "d" } });
out["deployment prediction"] = (await replicate.wait(through, { interval: 50 })).output;
out["delete deployment"] = await replicate.deployments.delete(owner, "node-front");

await replicate.models.create(owner, "learned-by-node", { visibility: "private", hardware: "cpu" });
const destination = `${owner}/learned-by-node`;
const training = await replicate.trainings.create(owner, "learn", versions.learn, { destination, input: { word: "one" } });
out["training"] = training.status;
let state = training;
while (!["succeeded", "failed", "canceled"].includes(state.status)) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  state = await replicate.trainings.get(training.id);
}
out["trained"] = [state.status, state.output.version.split(":")[0]];
out["learned"] = await replicate.run(state.output.version, { input: {} });
out["trainings"] = (await replicate.trainings.list()).results[0].id === training.id;
const stopped = await replicate.trainings.create(owner, "learn", versions.learn, { destination, input: { word: "two" } });
await replicate.trainings.cancel(stopped.id);
out["training stopped"] = ["canceled", "succeeded"].includes((await replicate.trainings.get(stopped.id)).status);
out["collections"] = (await replicate.collections.list()).results;
out["missing collection"] = await failing(replicate.collections.get("none"));
console.log(JSON.stringify(out));
