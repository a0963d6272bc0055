// A prediction's card, alive. Text comes by server-sent events and is appended as it comes; everything else is the
// card itself, asked for anew and morphed into place, so that one template is all there is to show a prediction.

import { post } from "./wire.js";

const SLOWEST = 2000;
const NEWS = 500;
// Colours and titles that a terminal would not print either; the card that follows has the same taken out.
const ESCAPES = /\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~]?)/g;
const followed = new WeakSet();

export function watch(card) {
  if (!card || followed.has(card)) return;
  followed.add(card);
  decorate(card);
  if ("live" in card.dataset) new Follower(card).start();
}

class Follower {
  #card;
  #stream = null;
  #timer = null;
  #wait = 300;
  #began;
  #clock = null;
  #streaming = false;
  #news = null;
  #moment = 300;

  constructor(card) {
    this.#card = card;
    // Counted by this clock from the age that the server gave: two machines' clocks need not agree.
    this.#began = Date.now() - 1000 * Number(card.dataset.waited);
  }

  start() {
    this.#tick();
    this.#clock = setInterval(() => this.#tick(), 100);
    this.#card.addEventListener("submit", (event) => {
      const form = event.target.closest("[data-cancel]");
      if (!form) return;
      event.preventDefault();
      this.#cancel(form.querySelector("button"));
    });
    if (this.#card.dataset.stream) this.#listen(this.#card.dataset.stream);
    this.#poll();
  }

  get #alive() { return this.#card.isConnected && "live" in this.#card.dataset; }

  #tick() {
    if (!this.#alive) { this.#stop(); return; }
    const seconds = (Date.now() - this.#began) / 1000;
    const clock = this.#card.querySelector("[data-elapsed]");
    if (clock) clock.textContent = `${seconds < 60 ? seconds.toFixed(1) : Math.round(seconds)} s`;
    const cold = this.#card.querySelector("[data-cold]");
    if (cold && seconds > 2) cold.hidden = false;
  }

  #stop() {
    clearInterval(this.#clock);
    clearTimeout(this.#timer);
    clearTimeout(this.#news);
    this.#stream?.close();
  }

  #poll() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      if (!this.#streaming) await this.refresh();
      this.#wait = Math.min(this.#wait * 1.25, SLOWEST);
      if (this.#alive) this.#poll();
      else this.#stop();
    }, this.#wait);
  }

  async refresh() {
    if (!this.#alive) return;
    try {
      const answer = await fetch(`/p/${this.#card.dataset.id}/card${"onPage" in this.#card.dataset ? "?on=page" : ""}`);
      if (answer.status === 404) this.#lost();
      if (!answer.ok || !this.#alive) return;
      morph(this.#card, await answer.text());
      decorate(this.#card);
    } catch {
      // The platform is out of reach; the next turn asks again.
    }
  }

  /** Say that there is no more to see, and stop asking. */
  #lost() {
    delete this.#card.dataset.live;
    this.#card.querySelector(".phase").textContent = "This prediction is gone, or you are signed out. Reload the page.";
  }

  #listen(url) {
    const stream = new EventSource(url);
    this.#stream = stream;
    let texts = 0;
    stream.addEventListener("output", (event) => {
      const place = this.#card.querySelector("[data-stream-text]");
      if (!place) { this.#wait = 300; this.#poll(); return; }
      if (texts === 0) {
        // The stream begins at the beginning; what the card held already is in it too.
        place.textContent = "";
        this.#streaming = true;
        this.#phase("processing", "Running");
      }
      texts += 1;
      place.append(event.data);
    });
    stream.addEventListener("logs", (event) => {
      const place = this.#card.querySelector("[data-logs]");
      if (place && this.#streaming) place.append(event.data.replace(ESCAPES, ""));
      else this.#soon();
    });
    for (const name of ["done", "error"]) {
      stream.addEventListener(name, () => {
        // `error` is also the browser's own word for a lost connection: then polling goes on alone.
        stream.close();
        this.#streaming = false;
        this.#wait = 150;
        this.refresh().then(() => { if (this.#alive) this.#poll(); });
      });
    }
  }

  /** Ask for the card in a moment: there is news. The larger it has become, the longer a moment is. */
  #soon() {
    if (this.#news) return;
    this.#news = setTimeout(async () => {
      const began = performance.now();
      await this.refresh();
      this.#moment = Math.max(NEWS, 5 * (performance.now() - began));
      this.#news = null;
    }, this.#moment);
  }

  #phase(status, words) {
    const mark = this.#card.querySelector(".status");
    mark.className = `status s-${status}`;
    mark.lastChild.textContent = status;
    this.#card.querySelector(".phase").textContent = words;
    this.#card.querySelector("[data-cold]")?.remove();
  }

  async #cancel(button) {
    button.disabled = true;
    button.textContent = "Stopping…";
    try {
      await post(`/v1/predictions/${this.#card.dataset.id}/cancel`);
    } catch (error) {
      button.disabled = false;
      button.textContent = "Cancel";
      this.#card.querySelector(".phase").textContent = error.message;
    }
    this.#wait = 200;
    this.#poll();
  }
}

/** Replace a card by its newer self, keeping which folds are open and what is unchanged. */
function morph(card, html) {
  const next = new DOMParser().parseFromString(html, "text/html").querySelector("[data-card]");
  if (!next) return;
  for (const { name } of [...card.attributes]) if (!next.hasAttribute(name)) card.removeAttribute(name);
  for (const { name, value } of next.attributes) card.setAttribute(name, value);
  const open = new Map([...card.querySelectorAll("[data-keep-open]")].map((fold) => [fold.dataset.keepOpen, fold.open]));
  for (const fold of next.querySelectorAll("[data-keep-open]")) {
    if (open.get(fold.dataset.keepOpen)) fold.open = true;
  }
  keepOwn(card, next);
  const text = card.querySelector("[data-stream-text]");
  const newer = next.querySelector("[data-stream-text]");
  if (text && newer && newer.textContent.length < text.textContent.length) newer.textContent = text.textContent;
  const parts = [...next.children];
  const old = [...card.children];
  parts.forEach((part, index) => {
    if (old[index]?.isEqualNode(part)) return;
    if (old[index]) old[index].replaceWith(part);
    else card.append(part);
  });
  for (const left of old.slice(parts.length)) left.remove();
}

/** Give the newer card what only the browser knows, so that what is the same stays, and with it the focus. */
function keepOwn(card, next) {
  for (const part of ["[data-elapsed]", "[data-cancel] button"]) {
    const mine = card.querySelector(part);
    const newer = next.querySelector(part);
    if (!mine || !newer) continue;
    newer.textContent = mine.textContent;
    newer.toggleAttribute("disabled", mine.hasAttribute("disabled"));
  }
  const explained = card.querySelector("[data-cold]:not([hidden])");
  if (explained) next.querySelector("[data-cold]")?.removeAttribute("hidden");
  for (const place of card.querySelectorAll("[data-dimensions]")) {
    if (place.textContent === "") continue;
    const source = place.closest("figure").querySelector("img").getAttribute("src");
    for (const image of next.querySelectorAll(".media img")) {
      if (image.getAttribute("src") === source) image.closest("figure").querySelector("[data-dimensions]").textContent = place.textContent;
    }
  }
}

/** Say the size of pictures once they are there. */
function decorate(card) {
  for (const image of card.querySelectorAll(".media img")) {
    const place = image.closest("figure").querySelector("[data-dimensions]");
    const say = () => { if (image.naturalWidth) place.textContent = `${image.naturalWidth} × ${image.naturalHeight}`; };
    if (image.complete) say();
    else image.addEventListener("load", say, { once: true });
  }
  const logs = card.querySelector("[data-logs]");
  if (logs && "live" in card.dataset) logs.scrollTop = logs.scrollHeight;
}
