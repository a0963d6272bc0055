// The run form as a value: read it into an input, check it, fill it from an input.

import { FileField } from "./files.js";

const files = new WeakMap();

export function fieldsOf(form) {
  return [...form.querySelectorAll("[data-field]")];
}

/** Make file and list fields work, and keep each slider and its number the same. */
export function prepare(form, changed) {
  for (const field of fieldsOf(form)) {
    const { kind } = field.dataset;
    if (kind === "file") files.set(field, new FileField(field.querySelector("[data-drop]"), changed));
    if (kind === "list") prepareList(field, changed);
    const range = field.querySelector("[data-range]");
    if (range) {
      const box = field.querySelector("[data-control]");
      range.addEventListener("input", () => { box.value = range.value; changed(); });
      box.addEventListener("input", () => { if (box.value.trim() !== "") range.value = box.value; });
    }
    field.addEventListener("input", () => { show(field, null); changed(); });
  }
}

/** Read the form. Returns {input, problems: Map(field → words)}. Fields left empty are left out. */
export function read(form) {
  const input = {};
  const problems = new Map();
  for (const field of fieldsOf(form)) {
    const { value, problem } = readField(field);
    if (problem) problems.set(field, problem);
    else if (value !== undefined) input[field.dataset.name] = value;
    else if ("required" in field.dataset) problems.set(field, "This field is required.");
  }
  return { input, problems };
}

/** Put an input into the form. Returns the names that have no field. */
export function fill(form, input) {
  const left = new Set(Object.keys(input));
  for (const field of fieldsOf(form)) {
    const { name } = field.dataset;
    const fallback = field.dataset.default === undefined ? null : JSON.parse(field.dataset.default);
    put(field, left.delete(name) ? input[name] : fallback);
    show(field, null);
  }
  return [...left];
}

/** Write a problem next to a field, or take it away. */
export function show(field, words) {
  const place = field.querySelector("[data-problem]");
  place.textContent = words ?? "";
  place.hidden = !words;
  const control = field.querySelector("[data-control], [data-pick], [data-add]");
  if (words) control?.setAttribute("aria-invalid", "true");
  else control?.removeAttribute("aria-invalid");
  field.querySelector("[data-drop]")?.toggleAttribute("data-invalid", Boolean(words));
}

/** Resolve when every upload has ended; rejects with the words of the first that failed. */
export async function uploaded(form) {
  const drops = fieldsOf(form).flatMap((field) => [files.get(field), ...(field.items ?? [])]);
  for (const drop of drops) if (drop instanceof FileField) await drop.ready();
}

export function uploading(form) {
  const drops = fieldsOf(form).flatMap((field) => [files.get(field), ...(field.items ?? [])]);
  return drops.some((drop) => drop instanceof FileField && drop.busy);
}

function readField(field) {
  const { kind } = field.dataset;
  const control = field.querySelector("[data-control]");
  switch (kind) {
    case "checkbox": return { value: control.checked };
    case "choice": return control.value === "" ? {} : { value: JSON.parse(control.value) };
    case "number":
    case "slider": return number(control.value, field.dataset);
    case "file": return files.get(field).read();
    case "list": return readList(field);
    case "json": return json(control.value);
    case "password": return control.value === "" ? {} : text(control.value, field.dataset);
    default: return readText(field, control);
  }
}

function readText(field, control) {
  if (control.value !== "") return text(control.value, field.dataset);
  // An empty box means "" where the default says something else, and "left out" everywhere else.
  const fallback = field.dataset.default === undefined ? null : JSON.parse(field.dataset.default);
  const meant = typeof fallback === "string" || (!("required" in field.dataset) && !("nullable" in field.dataset) && fallback !== null);
  return meant ? { value: "" } : {};
}

function text(value, { minLength, maxLength }) {
  const length = [...value].length;
  if (minLength !== undefined && length < Number(minLength)) return { problem: `At least ${minLength} characters; this has ${length}.` };
  if (maxLength !== undefined && length > Number(maxLength)) return { problem: `At most ${maxLength} characters; this has ${length}.` };
  return { value };
}

function number(written, { min, max, integer }) {
  const words = written.trim().replace(",", ".");
  if (words === "") return {};
  const value = Number(words);
  if (!Number.isFinite(value)) return { problem: `“${written}” is not a number.` };
  if (integer !== undefined && !Number.isInteger(value)) return { problem: `${words} is not a whole number.` };
  if (integer !== undefined && !Number.isSafeInteger(value)) return { problem: `${words} is too large for this form; use the API.` };
  if (min !== undefined && value < Number(min)) return { problem: `${words} is less than the minimum, ${min}.` };
  if (max !== undefined && value > Number(max)) return { problem: `${words} is more than the maximum, ${max}.` };
  return { value };
}

function json(written) {
  if (written.trim() === "") return {};
  try {
    return { value: JSON.parse(written) };
  } catch (error) {
    return { problem: `This is not JSON: ${error.message}` };
  }
}

function put(field, value) {
  const { kind } = field.dataset;
  const control = field.querySelector("[data-control]");
  switch (kind) {
    case "checkbox": control.checked = Boolean(value); break;
    case "choice": {
      const wanted = JSON.stringify(value);
      const option = [...control.options].find((one) => one.value !== "" && JSON.stringify(JSON.parse(one.value)) === wanted);
      control.value = option ? option.value : "";
      break;
    }
    case "file": files.get(field).put(value); break;
    case "list": putList(field, Array.isArray(value) ? value : []); break;
    case "json": control.value = value === null || value === undefined ? "" : JSON.stringify(value, null, 2); break;
    default: {
      control.value = value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
      const range = field.querySelector("[data-range]");
      if (range && control.value !== "") range.value = control.value;
    }
  }
}

// Lists: rows that can be added and taken away; a list of files also takes a drop of several -----------------------

function prepareList(field, changed) {
  field.items = [];
  field.changed = changed;
  const box = field.querySelector("[data-list]");
  field.querySelector("[data-add]").addEventListener("click", () => {
    addItem(field, null).focus();
    changed();
  });
  if (field.dataset.itemKind === "file") {
    box.addEventListener("dragover", (event) => event.preventDefault());
    box.addEventListener("drop", (event) => {
      if (event.defaultPrevented) return;
      event.preventDefault();
      for (const file of event.dataTransfer.files) addItem(field, file);
    });
  }
  putList(field, JSON.parse(box.dataset.start));
}

function putList(field, values) {
  // Rows that say the same already keep what a person put into them.
  if (field.items.length > 0 && JSON.stringify(readList(field).value) === JSON.stringify(values)) return;
  field.items = [];
  field.querySelector("[data-items]").replaceChildren();
  for (const value of values) addItem(field, value);
}

function addItem(field, value) {
  const row = document.createElement("li");
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "button quiet small";
  remove.textContent = "Remove";
  let item;
  let control;
  if (field.dataset.itemKind === "file") {
    const holder = FileField.build();
    holder.removeAttribute("aria-labelledby");
    holder.setAttribute("aria-label", `${field.dataset.name}, entry ${field.items.length + 1}`);
    row.append(holder);
    item = new FileField(holder, field.changed);
    control = holder.querySelector("[data-pick]");
    if (value instanceof File) item.take(value);
    else item.put(value);
  } else if (field.dataset.itemKind === "checkbox") {
    control = document.createElement("select");
    control.append(new Option("true", "true"), new Option("false", "false"));
    control.value = String(Boolean(value));
  } else {
    control = document.createElement("input");
    control.type = "text";
    control.value = value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  }
  if (!item) {
    control.className = "control";
    control.setAttribute("aria-label", `${field.dataset.name}, entry ${field.items.length + 1}`);
    row.append(control);
    item = { control };
  }
  remove.addEventListener("click", () => {
    field.items.splice(field.items.indexOf(item), 1);
    row.remove();
    field.querySelector("[data-add]").focus();
    field.changed();
  });
  row.append(remove);
  field.items.push(item);
  field.querySelector("[data-items]").append(row);
  return control;
}

function readList(field) {
  const values = [];
  for (const [index, item] of field.items.entries()) {
    const { value, problem } = item instanceof FileField ? item.read() : readItem(field, item.control.value);
    if (problem) return { problem: `Entry ${index + 1}: ${problem}` };
    if (value !== undefined) values.push(value);
  }
  const empty = values.length === 0 && field.dataset.default === undefined;
  return empty ? {} : { value: values };
}

function readItem(field, written) {
  const kind = field.dataset.itemKind;
  if (kind === "number" || kind === "slider") return number(written, { integer: field.dataset.itemInteger });
  if (kind === "checkbox") return { value: written === "true" };
  if (kind === "choice") return json(written).problem ? { value: written } : json(written);
  return { value: written };
}
