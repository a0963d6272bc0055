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
out["hardware"] = (await replicate.hardware.list()).map((item) => item.sku);
const stored = await replicate.files.create(Buffer.from("kept"), { a: "b" });
out["stored"] = [stored.size, (await replicate.files.get(stored.id)).id === stored.id];
await replicate.files.delete(stored.id);
out["deleted"] = await failing(replicate.files.get(stored.id));
console.log(JSON.stringify(out));
