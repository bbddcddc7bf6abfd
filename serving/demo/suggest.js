// The search box: what may be meant is offered while somebody types (an ARIA combobox).

import { el } from "./dom.js";
import { t } from "./language.js";
import { KINDS } from "./words.js";

const WAIT_MS = 120; // after the last key
const MOST = 8;
const MOST_CHARACTERS = 128; // of what was typed, as the API takes it

export class SearchBox {
  #api;
  #onChoice;
  #input;
  #popup;
  #list;
  #note;
  #offered = [];
  #active = -1; // none: what was typed stands
  #timer = null;
  #asking = new AbortController();

  /** `onChoice` gets {query, filters}; `form` holds the input, the popup, its note and its list. */
  constructor(form, api, onChoice) {
    this.#api = api;
    this.#onChoice = onChoice;
    this.#input = form.querySelector("[role=combobox]");
    this.#popup = form.querySelector(".suggestions");
    this.#list = form.querySelector("[role=listbox]");
    this.#note = form.querySelector(".note");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.close();
      onChoice({ query: this.#input.value.trim(), filters: {} });
    });
    this.#input.addEventListener("input", (event) => event.isComposing || this.#soon());
    this.#input.addEventListener("compositionend", () => this.#soon());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#input.addEventListener("blur", () => this.close());
    this.#popup.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus
    this.#list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose([...this.#list.children].indexOf(option));
    });
  }

  /** Show `query` without asking what it may mean. */
  set(query) {
    this.close();
    this.#input.value = query;
  }

  close() {
    clearTimeout(this.#timer);
    this.#asking.abort();
    this.#offered = [];
    this.#popup.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#activate(-1);
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), WAIT_MS);
  }

  async #ask() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const typed = this.#input.value.trim();
    const q = Array.from(typed).slice(0, MOST_CHARACTERS).join("");
    try {
      const query = new URLSearchParams({ q, limit: MOST });
      const { body } = await this.#api.call("GET", `v1/suggest?${query}`, null, signal);
      if (!signal.aborted) this.#show(body, typed);
    } catch {
      if (!signal.aborted) this.close(); // the search itself will tell what is wrong
    }
  }

  #show({ suggestions, corrected }, typed) {
    if (!suggestions.length) return this.close();
    this.#offered = suggestions;
    const read = corrected ?? typed;
    this.#note.replaceChildren(...(corrected ? [t("Suggestions for"), " ", el("b", {}, corrected)] : []));
    this.#note.hidden = !corrected;
    this.#list.replaceChildren(...suggestions.map((each, n) => option(each, n, read)));
    this.#popup.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#activate(-1);
  }

  #onKey(event) {
    if (event.isComposing) return; // Enter ends a composition, it chooses nothing
    const { key } = event;
    const open = !this.#popup.hidden;
    if (key === "ArrowDown" && !open) this.#ask();
    else if (key === "ArrowDown") this.#move(1);
    else if (key === "ArrowUp" && open) this.#move(-1);
    else if (key === "Enter" && this.#active >= 0) this.#choose(this.#active);
    else if (key === "Escape" && open) this.close();
    else return;
    event.preventDefault();
  }

  /** Round and round, by way of what was typed. */
  #move(step) {
    const places = this.#offered.length + 1;
    this.#activate(((this.#active + 1 + step + places) % places) - 1);
  }

  #activate(place) {
    this.#active = place;
    [...this.#list.children].forEach((each, n) => each.setAttribute("aria-selected", String(n === place)));
    const active = this.#list.children[place];
    if (active) this.#input.setAttribute("aria-activedescendant", active.id);
    else this.#input.removeAttribute("aria-activedescendant");
    active?.scrollIntoView({ block: "nearest" });
  }

  #choose(place) {
    const { kind, text, category } = this.#offered[place];
    const filters = kind === "category" ? { category } : kind === "brand" ? { brand: text } : {};
    const query = kind === "query" || kind === "item" ? text : "";
    this.set(query);
    this.#onChoice({ query, filters });
  }
}

function option({ text, kind, category }, n, typed) {
  const above = (category ?? "").split(" > ").slice(0, -1).join(" › ");
  return el(
    "li", { role: "option", id: `suggestion-${n}`, "data-kind": kind, "aria-selected": "false" },
    el("span", { class: "text" }, ...emphasised(text, typed)),
    " ",
    el("span", { class: "kind" }, above ? t("{kind} in {above}", { kind: t(KINDS[kind]), above }) : t(KINDS[kind])),
  );
}

/** `text` as nodes, in bold what begins a word and was typed; capitals and accents do not count. */
function emphasised(text, typed) {
  const words = folded(typed).key.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const { key, at } = folded(text);
  const bold = new Array(text.length).fill(false);
  for (const word of words) {
    for (let from = key.indexOf(word); from >= 0; from = key.indexOf(word, from + 1)) {
      // Writing without spaces has no beginnings of words to tell.
      const begins = from === 0 || !/[\p{L}\p{N}]/u.test(key[from - 1]) || /\p{Lo}/u.test(word);
      if (begins) bold.fill(true, at[from], at[from + word.length] ?? text.length);
    }
  }
  const nodes = [];
  for (let start = 0, end; start < text.length; start = end) {
    end = start;
    while (end < text.length && bold[end] === bold[start]) end += 1;
    const part = text.slice(start, end);
    nodes.push(bold[start] ? el("b", {}, part) : part);
  }
  return nodes;
}

/** Without capitals, widths and accents; at: for each place of `key`, the place in `text`. */
function folded(text) {
  let key = "";
  const at = [];
  let place = 0;
  for (const character of text) {
    const plain = character.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    for (let n = 0; n < plain.length; n += 1) at.push(place);
    key += plain;
    place += character.length;
  }
  return { key, at };
}
