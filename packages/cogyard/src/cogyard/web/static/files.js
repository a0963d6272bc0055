// A file of an input: picked, dropped, or an address. What is picked is sent at once, so that Run need not wait.

import { problemOf } from "./wire.js";

const LIMIT = 100 * 1024 * 1024;
const PREVIEWS = { image: "img", audio: "audio", video: "video" };

export class FileField {
  #box;
  #changed;
  #url = null;
  #sending = null;
  #problem = null;
  #preview = null;

  constructor(box, changed) {
    this.#box = box;
    this.#changed = changed;
    const picker = box.querySelector("[data-picker]");
    box.querySelector("[data-pick]").addEventListener("click", () => picker.click());
    picker.addEventListener("change", () => {
      if (picker.files[0]) this.take(picker.files[0]);
      picker.value = "";
    });
    box.querySelector("[data-clear]").addEventListener("click", () => {
      this.put(null);
      box.querySelector("[data-pick]").focus();
      changed();
    });
    const address = box.querySelector("[data-url]");
    address.addEventListener("input", () => { this.#url = address.value.trim() || null; this.#problem = null; });
    address.addEventListener("change", () => { if (this.#url && !this.#problemOfAddress()) this.#show(this.#url); });
    address.addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (file) { event.preventDefault(); this.take(file); }
    });
    for (const name of ["dragenter", "dragover"]) {
      box.addEventListener(name, (event) => { event.preventDefault(); box.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) {
      box.addEventListener(name, () => box.classList.remove("over"));
    }
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      const link = event.dataTransfer.getData("text/uri-list").split("\n")[0];
      if (file) this.take(file);
      else if (link) { this.put(link); changed(); }
    });
    if (address.value) this.put(address.value);
  }

  /** An empty field's elements, for lists. */
  static build() {
    const source = document.getElementById("file-field");
    const box = source.content.firstElementChild.cloneNode(true);
    for (const part of box.querySelectorAll("[id], [aria-describedby]")) {
      part.removeAttribute("id");
      part.removeAttribute("aria-describedby");
    }
    return box;
  }

  get busy() { return this.#sending !== null; }

  /** Set an address, or nothing. What is there already stays, with the name and the picture it has. */
  put(value) {
    if (typeof value !== "string" || value !== this.#url) this.#show(value);
  }

  #show(value) {
    this.#cancel();
    this.#url = typeof value === "string" && value !== "" ? value : null;
    this.#box.querySelector("[data-url]").value = this.#url ?? "";
    if (this.#url) this.#present(nameOf(this.#url), "", kindOf(this.#url), previewable(this.#url));
    else this.#empty();
  }

  /** Take a file from the person's machine and send it. */
  take(file) {
    this.#cancel();
    this.#url = null;
    const kind = file.type.split("/")[0];
    this.#preview = kind in PREVIEWS ? URL.createObjectURL(file) : null;
    this.#present(file.name, sizeOf(file.size), kind, this.#preview);
    if (file.size > LIMIT) {
      this.#fail(`${file.name} is ${sizeOf(file.size)}; the limit is ${sizeOf(LIMIT)}. Paste an address instead.`);
      return;
    }
    this.#send(file);
  }

  read() {
    if (this.#problem) return { problem: this.#problem };
    if (this.#sending) return { problem: "Still sending the file." };
    if (!this.#url) return {};
    const problem = this.#problemOfAddress();
    return problem ? { problem } : { value: this.#url };
  }

  async ready() { await this.#sending?.done; }

  #problemOfAddress() {
    return /^(https?:\/\/|data:)/i.test(this.#url ?? "") ? null : "An address begins with http:// or https://.";
  }

  #send(file) {
    const request = new XMLHttpRequest();
    const bar = this.#box.querySelector("[data-progress]");
    bar.hidden = false;
    bar.removeAttribute("value");
    const body = new FormData();
    body.append("content", file, file.name);
    request.open("POST", "/v1/files");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    const done = new Promise((resolve) => {
      request.addEventListener("loadend", () => {
        if (this.#sending?.request !== request) return resolve();
        this.#sending = null;
        bar.hidden = true;
        if (request.status === 201 || request.status === 200) this.#url = request.response.urls.get;
        else this.#fail(request.status === 0 ? "The file could not be sent: the platform did not answer." : problemOf(request.response, request.status));
        this.#changed();
        resolve();
      });
    });
    this.#sending = { request, done };
    request.send(body);
  }

  #fail(words) {
    this.#problem = words;
    const place = this.#box.closest("[data-field]").querySelector("[data-problem]");
    place.textContent = words;
    place.hidden = false;
  }

  #cancel() {
    const { request } = this.#sending ?? {};
    this.#sending = null;
    request?.abort();
    this.#problem = null;
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
    this.#box.querySelector("[data-progress]").hidden = true;
  }

  #empty() {
    this.#box.querySelector(".drop-empty").hidden = false;
    this.#box.querySelector(".drop-full").hidden = true;
  }

  #present(name, size, kind, source) {
    this.#box.querySelector(".drop-empty").hidden = true;
    this.#box.querySelector(".drop-full").hidden = false;
    this.#box.querySelector("[data-file-name]").textContent = name;
    const facts = this.#box.querySelector("[data-file-size]");
    facts.textContent = size;
    const place = this.#box.querySelector("[data-preview]");
    place.replaceChildren();
    if (!source || !(kind in PREVIEWS)) return;
    const element = document.createElement(PREVIEWS[kind]);
    if (kind === "image") {
      element.alt = `Preview of ${name}`;
      element.addEventListener("load", () => {
        facts.textContent = [size, `${element.naturalWidth} × ${element.naturalHeight}`].filter(Boolean).join(" · ");
      });
    } else {
      element.controls = true;
    }
    element.addEventListener("error", () => element.remove());
    element.src = source;
    place.append(element);
  }
}

const SUFFIXES = { image: /\.(png|jpe?g|webp|gif|svg|avif|bmp)$/i, audio: /\.(wav|mp3|ogg|oga|flac|m4a|opus)$/i, video: /\.(mp4|webm|mov|ogv)$/i };

function kindOf(url) {
  if (url.startsWith("data:")) return url.slice(5).split("/")[0];
  const name = nameOf(url);
  return Object.keys(SUFFIXES).find((kind) => SUFFIXES[kind].test(name)) ?? "file";
}

/** Only our own files and data are shown: a stranger's server must not learn who looks. */
function previewable(url) {
  if (url.startsWith("data:")) return url;
  try {
    const parsed = new URL(url, location.href);
    return parsed.pathname.startsWith("/delivery/") && parsed.host === location.host ? parsed.pathname : null;
  } catch {
    return null;
  }
}

function nameOf(url) {
  if (url.startsWith("data:")) return `data (${url.slice(5, 60).split(/[;,]/)[0] || "text/plain"})`;
  try {
    return decodeURIComponent(new URL(url, location.href).pathname.split("/").pop()) || url;
  } catch {
    return url;
  }
}

function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  const step = Math.min(Math.floor(Math.log10(bytes) / 3), units.length);
  return `${(bytes / 1000 ** step).toPrecision(3)} ${units[step - 1]}`;
}
