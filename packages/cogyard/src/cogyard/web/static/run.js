// The playground: read the form, create the prediction, show its card.

import { fieldsOf, fill, prepare, read, show, uploaded, uploading } from "./form.js";
import { watch } from "./live.js";
import { post, Refused } from "./wire.js";

export function start(form) {
  new Playground(form);
}

class Playground {
  #form;
  #json;
  #mode = "form";
  #busy = false;

  constructor(form) {
    this.#form = form;
    this.#json = form.querySelector("#json-input");
    prepare(form, () => this.#remember());
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#run(); });
    form.addEventListener("tab", (event) => { if (!this.#switch(event.detail)) event.preventDefault(); });
    form.querySelector("[data-reset]").addEventListener("click", () => this.#reset());
    this.#json.addEventListener("input", () => this.#jsonProblem(null));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
        event.preventDefault();
        this.#run();
      }
    });
    // A file dropped beside its field would leave the page, and with it all that was typed.
    for (const name of ["dragover", "drop"]) {
      window.addEventListener(name, (event) => { if (!event.defaultPrevented) event.preventDefault(); });
    }
  }

  #switch(mode) {
    if (mode === this.#mode) return true;
    if (mode === "json") {
      this.#json.value = JSON.stringify(read(this.#form).input, null, 2);
    } else {
      const input = this.#parsed();
      if (input === null) return false;
      const unknown = fill(this.#form, input);
      if (unknown.length > 0) this.#note(`The form has no field for ${unknown.join(", ")}.`, true);
    }
    this.#mode = mode;
    return true;
  }

  #parsed() {
    try {
      const input = JSON.parse(this.#json.value.trim() || "{}");
      if (input === null || typeof input !== "object" || Array.isArray(input)) throw new SyntaxError("the input is an object, {…}");
      this.#jsonProblem(null);
      return input;
    } catch (error) {
      this.#jsonProblem(`This is not an input: ${error.message}`);
      return null;
    }
  }

  #jsonProblem(words) {
    const place = this.#form.querySelector("[data-json-problem]");
    place.textContent = words ?? "";
    place.hidden = !words;
  }

  #reset() {
    fill(this.#form, {});
    if (this.#mode === "json") this.#json.value = JSON.stringify(read(this.#form).input, null, 2);
    this.#jsonProblem(null);
    this.#note("");
    this.#remember();
  }

  #remember() {
    try {
      sessionStorage.setItem(`cogyard.input.${this.#form.dataset.store ?? this.#form.dataset.version}`, JSON.stringify(this.#shareable()));
    } catch { /* storage may be off or full; the API tab then shows the defaults */ }
  }

  #shareable() {
    const { input } = read(this.#form);
    for (const field of fieldsOf(this.#form)) {
      if (field.dataset.kind === "password") delete input[field.dataset.name];
    }
    return input;
  }

  async #run() {
    const button = this.#form.querySelector("[data-run]");
    if (this.#busy || !button) return;
    this.#busy = true;
    button.disabled = true;
    this.#note(uploading(this.#form) ? "Sending the file…" : "");
    try {
      await uploaded(this.#form);
      const input = this.#mode === "json" ? (this.#extras() ? this.#parsed() : null) : this.#checked();
      if (input !== null) await this.#create(input);
    } finally {
      this.#busy = false;
      button.disabled = false;
    }
  }

  #checked() {
    const { input, problems } = read(this.#form);
    for (const field of fieldsOf(this.#form)) show(field, problems.get(field) ?? null);
    if (problems.size === 0) return this.#extras() ? input : null;
    this.#note(problems.size === 1 ? "One field needs attention." : `${problems.size} fields need attention.`, true);
    const [first] = problems.keys();
    first.querySelector("[data-control], [data-pick], [data-add]")?.focus();
    return null;
  }

  /** Whether what is asked for beside the input is there; say where it is not. */
  #extras() {
    for (const control of this.#form.querySelectorAll("[data-extra]")) {
      const missing = control.required && control.value.trim() === "";
      const place = control.parentElement.querySelector("[data-extra-problem]");
      place.textContent = missing ? "This field is required." : "";
      place.hidden = !missing;
      control.setAttribute("aria-invalid", String(missing));
      if (missing) { control.focus(); return false; }
    }
    return true;
  }

  async #create(input) {
    const body = { input };
    if ("sendsVersion" in this.#form.dataset) body.version = this.#form.dataset.version;
    for (const control of this.#form.querySelectorAll("[data-extra]")) body[control.name] = control.value.trim();
    try {
      const prediction = await post(this.#form.dataset.post, body);
      this.#note("");
      await this.#open(prediction.id);
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof TypeError)) throw error;
      this.#refused(error);
    }
  }

  async #open(id) {
    const slot = document.getElementById("output-slot");
    const answer = await fetch(`/p/${id}/card`);
    if (!answer.ok) throw new Refused(answer.status, null);
    slot.innerHTML = await answer.text();
    history.replaceState(null, "", `?prediction=${id}`);
    watch(slot.querySelector("[data-card]"));
    if (matchMedia("(max-width: 860px)").matches) slot.scrollIntoView({ block: "center" });
  }

  #refused(error) {
    if (error instanceof TypeError) {
      this.#note("The platform did not answer. Is it running?", true);
      return;
    }
    let shown = 0;
    for (const { field: path, description } of error.fields) {
      const name = String(path).replace(/^(body\.)?input\./, "").split(/[.[]/)[0];
      const field = fieldsOf(this.#form).find((one) => one.dataset.name === name);
      if (!field || this.#mode === "json") continue;
      show(field, description);
      shown += 1;
    }
    if (this.#mode === "json") this.#jsonProblem(error.message);
    this.#note(shown > 0 ? "The platform refused this input." : error.message, true);
  }

  #note(words, bad = false) {
    const place = this.#form.querySelector("[data-run-note]");
    place.textContent = words;
    place.classList.toggle("bad", bad);
  }
}
