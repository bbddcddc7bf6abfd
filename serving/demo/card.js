// One product on a shelf: what it is, its place, and why it stands there.

import { bar, el, hidden } from "./dom.js";
import { money } from "./items.js";
import { part, sentences } from "./words.js";

export class Card {
  #tile = el("div", { class: "tile", "aria-hidden": "true" });
  #place = el("span", { class: "place" });
  #moved = el("span", { class: "moved" });
  #title = el("button", { class: "open", type: "button" });
  #facts = el("p", { class: "facts" });
  #price = el("p", { class: "price" });
  #cart = el("button", { class: "cart", type: "button" });
  #score = el("span", { class: "score" });
  #why = el("div", { class: "why-body" });

  constructor(onEvent) {
    this.element = el(
      "li", { class: "card" },
      el("div", { class: "rank" }, this.#place, this.#moved),
      this.#tile,
      el("h3", {}, this.#title),
      this.#facts,
      el("div", { class: "buy" }, this.#price, this.#cart),
      el("details", { class: "why" }, el("summary", {}, "Why here?", this.#score), this.#why),
    );
    this.#title.addEventListener("click", () => onEvent("click", this.shown, this.element));
    this.#cart.addEventListener("click", () => {
      const value = this.item.price;
      onEvent("add_to_cart", { ...this.shown, ...(value ? { value } : {}) }, this.element);
    });
  }

  /** Show `ranked` of an answer; `was` is the place before, null for a newcomer, undefined at first. */
  show(item, ranked, rankingId, was, scale) {
    this.item = item;
    this.shown = { item_id: ranked.item_id, ranking_id: rankingId, position: ranked.position };
    const leaf = item.category.split(">").at(-1).trim();
    this.element.dataset.itemId = ranked.item_id;
    this.element.style.setProperty("--hue", hue(item.category || item.brand || item.title));
    this.#tile.textContent = Array.from(item.title.trim())[0]?.toUpperCase() ?? "";
    this.#place.replaceChildren(hidden("place "), String(ranked.position));
    this.#title.textContent = item.title;
    this.#title.title = item.title;
    this.#facts.textContent = [item.brand, leaf].filter(Boolean).join(" · ");
    this.#facts.title = item.category;
    this.#price.textContent = money(item.price, item.currency);
    this.#cart.replaceChildren("Add to cart", hidden(`: ${item.title}`));
    this.#score.replaceChildren(hidden("score "), ranked.score.toFixed(3));
    this.#showMove(was, ranked.position);
    this.#why.replaceChildren(...(ranked.explanation ? why(ranked.explanation, scale) : []));
  }

  #showMove(was, now) {
    const places = was ? was - now : 0;
    const kind = was === null ? "new" : places > 0 ? "up" : places < 0 ? "down" : "";
    this.#moved.className = `moved ${kind}`;
    if (kind === "new") this.#moved.replaceChildren("new");
    else if (!kind) this.#moved.replaceChildren();
    else {
      const n = Math.abs(places);
      const arrow = el("span", { "aria-hidden": "true" }, `${kind === "up" ? "▲" : "▼"} ${n}`);
      this.#moved.replaceChildren(arrow, hidden(`${kind} ${n} ${n === 1 ? "place" : "places"}`));
    }
  }
}

function why(explanation, scale) {
  const parts = Object.entries(explanation.parts).filter(([, value]) => Math.abs(value) > 1e-4);
  parts.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const told = sentences(explanation.features);
  return [
    explanation.known_item ? null : el("p", {}, "The catalogue does not know this item."),
    parts.length ? el("h4", {}, "What the score is made of") : null,
    parts.length
      ? el("ul", { class: "parts" }, ...parts.slice(0, 6).map(([name, value]) => row(name, value, scale)))
      : null,
    told.length ? el("h4", {}, "What the ranker saw") : null,
    told.length ? list(told) : null,
    explanation.rules.length ? el("h4", {}, "Rules") : null,
    explanation.rules.length ? list(explanation.rules) : null,
  ].filter(Boolean);
}

function row(name, value, scale) {
  const number = `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  return el("li", {}, el("span", {}, part(name)), bar(value / scale), el("b", {}, number));
}

function list(lines) {
  return el("ul", { class: "lines" }, ...lines.map((line) => el("li", {}, line)));
}

/** A quiet colour of its own for each category, 0 to 360. */
function hue(text) {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return hash / 10;
}
