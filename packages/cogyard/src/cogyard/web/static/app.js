// What pages need beyond HTML: the run form, live predictions, tabs, copying. No build step; modules as they are.

import { start as startForm } from "./run.js";
import { watch } from "./live.js";

// Copying -------------------------------------------------------------------------------------------------------

async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without a secure context there is no clipboard: select the text so that a keystroke copies it.
    const source = button.closest("[data-copy-from]")?.querySelector("pre");
    if (source) {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl-C";
    } else {
      prompt("Copy this:", text);
    }
  }
  setTimeout(() => { button.textContent = label; }, 1600);
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const button = target?.closest("[data-copy], [data-copy-text]");
  if (button) {
    copy(button, button.dataset.copyText ?? button.closest("[data-copy-from]").querySelector("pre").textContent);
  }
  const careful = target?.closest("[data-confirm]");
  if (careful && !confirm(careful.dataset.confirm)) event.preventDefault();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Tabs: a row of role=tab buttons and the panels they name --------------------------------------------------------

function choose(tab, focus) {
  for (const other of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const panel = document.getElementById(other.getAttribute("aria-controls"));
    if (panel) panel.hidden = !chosen;
  }
  if (focus) tab.focus();
}

function startTabs(root) {
  for (const list of root.querySelectorAll("[role=tablist]:not([data-ready])")) {
    list.dataset.ready = "";
    const tabs = [...list.querySelectorAll("[role=tab]")];
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (!tab) return;
      const leaving = new CustomEvent("tab", { bubbles: true, cancelable: true, detail: tab.dataset.pane });
      if (list.dispatchEvent(leaving)) choose(tab, false);
      if (list.parentElement.matches("[data-snippets]")) remember("language", tab.dataset.pane);
    });
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
    const wanted = list.parentElement.matches("[data-snippets]") && remembered("language");
    const first = tabs.find((tab) => tab.dataset.pane === wanted) ?? tabs.find((tab) => tab.ariaSelected === "true");
    if (first) choose(first, false);
  }
}

function remember(key, value) {
  try { localStorage.setItem(`cogyard.${key}`, value); } catch { /* storage may be off */ }
}

function remembered(key) {
  try { return localStorage.getItem(`cogyard.${key}`); } catch { return null; }
}

// The API tab shows the input that is in the form now ---------------------------------------------------------------

async function freshSnippets() {
  const box = document.querySelector("[data-snippets]");
  if (!box) return;
  let input = null;
  try { input = sessionStorage.getItem(`cogyard.input.${box.dataset.store}`); } catch { return; }
  if (!input) return;
  const body = new URLSearchParams({ version: box.dataset.version, input });
  const answer = await fetch(box.dataset.refresh, { method: "POST", body });
  if (!answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-snippets]");
  if (parsed) {
    box.replaceWith(parsed);
    startTabs(parsed.parentElement);
  }
}

startTabs(document);
freshSnippets();
const form = document.getElementById("run-form");
if (form) startForm(form);
for (const card of document.querySelectorAll("[data-card]")) watch(card);
