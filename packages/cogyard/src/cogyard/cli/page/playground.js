// The page of `cog playground`: the run form, and what the model gives while it gives it.

const { fieldsOf, fill, prepare, read, show, uploaded } = await import(document.body.dataset.form);

const form = document.getElementById("run-form");
const part = (name) => document.querySelector(`[data-${name}]`);
const LONGEST = 2000;
let running = null;

prepare(form, () => {});
form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
part("reset").addEventListener("click", () => { fill(form, {}); note(""); });
part("stop").addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) { event.preventDefault(); run(); }
});
// A file dropped beside its field would leave the page, and with it all that was typed.
for (const name of ["dragover", "drop"]) {
  window.addEventListener(name, (event) => { if (!event.defaultPrevented) event.preventDefault(); });
}
part("run").disabled = false;

async function run() {
  if (running) return;
  running = new AbortController();
  part("run").disabled = true;
  try {
    await uploaded(form);
    const { input, problems } = read(form);
    for (const field of fieldsOf(form)) show(field, problems.get(field) ?? null);
    if (problems.size > 0) {
      note(problems.size === 1 ? "One field needs attention." : `${problems.size} fields need attention.`, true);
      [...problems.keys()][0].querySelector("[data-control], [data-pick], [data-add]")?.focus();
      return;
    }
    await follow(input);
  } catch (error) {
    if (error.name === "AbortError") phase("canceled");
    else fail(error instanceof TypeError ? "The model's server did not answer. Is it running?" : error.message);
  } finally {
    running = null;
    part("run").disabled = false;
    part("stop").hidden = true;
  }
}

async function follow(input) {
  clear();
  part("stop").hidden = false;
  const began = performance.now();
  const clock = setInterval(() => phase(`${((performance.now() - began) / 1000).toFixed(1)} s`), 100);
  try {
    const answer = await fetch("/predictions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ input }),
      signal: running.signal,
    });
    if (!answer.ok) return refused(await answer.json().catch(() => null), answer.status);
    for await (const [name, data] of events(answer.body)) take(name, data);
  } finally {
    clearInterval(clock);
  }
}

/** Yield the name and the value of each server-sent event. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const blocks = held.split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name && data !== undefined) yield [name, JSON.parse(data)];
    }
  }
}

function take(name, data) {
  if (name === "log") log(data.data);
  else if (name === "output") piece(data.chunk);
  else if (name === "completed") complete(data);
  else if (name === "refused") refused(data, 422);
}

function piece(chunk) {
  const place = part("output");
  if (typeof chunk === "string" && !isFile(chunk) && place.dataset.texts !== undefined) {
    let box = place.querySelector(".text-out");
    if (!box) {
      box = element("div", "text-out live");
      place.append(box);
    }
    box.append(chunk);
  } else {
    place.append(view(chunk));
  }
}

function complete(data) {
  const took = data.metrics?.predict_time;
  phase(data.status + (took === undefined ? "" : ` in ${took < 1 ? `${Math.round(took * 1000)} ms` : `${took.toFixed(1)} s`}`));
  if (data.error) fail(data.error);
  if (data.status === "failed") part("log-fold").open = true;
  const place = part("output");
  const text = Array.isArray(data.output) && place.dataset.texts !== undefined ? data.output.join("") : data.output;
  if (data.status === "succeeded" || data.output !== null) place.replaceChildren(view(text));
  if (data.logs && part("logs").textContent === "") log(data.logs);
  part("json-fold").hidden = false;
  part("json").textContent = JSON.stringify(data, shortened, 2);
}

/** Return a value as elements. Addresses become pictures, players and downloads, never pages. */
function view(value, inside = false) {
  if (value === null || value === undefined) return element("span", "dim", inside ? "null" : "The model returned nothing.");
  if (isFile(value)) return file(value);
  if (typeof value === "string") return element("div", inside ? "text-out inline" : "text-out", value);
  if (Array.isArray(value) && value.length > 0 && value.every(isFile)) {
    const box = element("div", "gallery");
    box.append(...value.map(file));
    return box;
  }
  if (typeof value === "object" && !Array.isArray(value) && Object.values(value).some(isFile)) {
    const list = element("dl", "object-out");
    for (const [name, one] of Object.entries(value)) {
      const row = element("div");
      const meaning = element("dd");
      meaning.append(view(one, true));
      row.append(element("dt", "", name), meaning);
      list.append(row);
    }
    return list;
  }
  return element("pre", "json-out", JSON.stringify(value, null, 2));
}

function isFile(value) {
  return typeof value === "string" && (value.startsWith("/delivery/") || /^data:[\w.+-]+\/[\w.+-]+[;,]/.test(value));
}

function file(url) {
  const name = url.startsWith("data:") ? "output" : decodeURIComponent(url.split("/").pop());
  const kind = url.startsWith("data:") ? url.slice(5).split("/")[0] : new URLSearchParams(url.split("#")[1]).get("kind") ?? kindOf(name);
  const figure = element("figure", "media");
  const shown = { image: "img", audio: "audio", video: "video" }[kind];
  if (shown) {
    const medium = element(shown);
    if (shown === "img") medium.alt = name;
    else medium.controls = true;
    medium.src = url;
    figure.append(medium);
  }
  const caption = element("figcaption");
  const link = element("a", "", `Download ${name}`);
  link.href = url;
  link.download = name;
  caption.append(link);
  figure.append(caption);
  return figure;
}

function kindOf(name) {
  if (/\.(png|jpe?g|webp|gif|svg|avif|bmp)$/i.test(name)) return "image";
  if (/\.(wav|mp3|ogg|oga|flac|m4a|opus)$/i.test(name)) return "audio";
  return /\.(mp4|webm|mov|ogv)$/i.test(name) ? "video" : "file";
}

function refused(body, status) {
  const problems = Array.isArray(body?.detail) ? body.detail : [];
  let placed = 0;
  for (const { loc, msg } of problems) {
    const field = fieldsOf(form).find((one) => one.dataset.name === String(loc?.[2]));
    if (!field) continue;
    show(field, msg);
    placed += 1;
  }
  const words = problems.length > 0 ? problems.map(({ loc, msg }) => `${(loc ?? []).slice(2).join(".")}: ${msg}`).join("\n") : body?.detail;
  phase("");
  if (placed < problems.length || problems.length === 0) fail(words ?? `The model's server answered with ${status}.`);
  else note("The model refused this input.", true);
}

function clear() {
  part("output").replaceChildren();
  part("logs").textContent = "";
  for (const name of ["error", "log-fold", "json-fold"]) part(name).hidden = true;
  note("");
}

function log(text) {
  part("log-fold").hidden = false;
  part("logs").append(text);
}

function fail(words) {
  part("error").textContent = words;
  part("error").hidden = false;
}

function phase(words) { part("phase").textContent = words; }

function note(words, bad = false) {
  part("run-note").textContent = words;
  part("run-note").classList.toggle("bad", bad);
}

function shortened(_name, value) {
  return typeof value === "string" && value.startsWith("data:") && value.length > LONGEST ? `${value.slice(0, 60)}… (${value.length} characters)` : value;
}

function element(tag, name = "", words = null) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (words !== null) made.textContent = words;
  return made;
}
