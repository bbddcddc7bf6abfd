// One product on a shelf: what it is, its place, and why it stands there.

import { bar, el, hidden } from "./dom.js";
import { money } from "./items.js";
import { t } from "./language.js";
import { part } from "./words.js";

export class Card {
  #tile = el("div", { class: "tile", "aria-hidden": "true" });
  #place = el("span", { class: "place" });
  #moved = el("span", { class: "moved" });
  #title = el("button", { class: "open", type: "button" });
  #facts = el("p", { class: "facts" });
  #price = el("p", { class: "price" });
  #cart = el("button", { class: "cart", type: "button" });
  #rank = el("div", { class: "rank" }, this.#place, this.#moved);
  #because = el("span", { class: "because" });
  #whyBody = el("div", { class: "why-body" });
  #why = el("details", { class: "why" }, el("summary", {}, el("span", { class: "ask" }, t("Why here?")), this.#because), this.#whyBody);
  #unwantedBody = el("div", { class: "unwanted-body" });
  #unwanted = el("details", { class: "not" }, el("summary", {}, t("Not for me")), this.#unwantedBody);
  #onEvent;
  #told;

  constructor(onEvent) {
    this.#onEvent = onEvent;
    this.element = el(
      "li", { class: "card" },
      this.#rank,
      this.#tile,
      el("h3", {}, this.#title),
      this.#facts,
      el("div", { class: "buy" }, this.#price, this.#cart),
      this.#why,
      this.#unwanted,
    );
    this.#why.addEventListener("toggle", () => this.#why.open && this.#tellStranger());
    this.#title.addEventListener("click", () => onEvent("click", this.shown, this.element));
    this.#cart.addEventListener("click", () => {
      const value = this.item.price;
      onEvent("add_to_cart", { ...this.shown, ...(value ? { value } : {}) }, this.element);
    });
  }

  /**
   * Show `ranked` of an answer at a place of the shelf; `was` is the place before, null for a
   * newcomer, undefined at first.
   */
  show(item, ranked, told, place, was) {
    const { rankingId, scale } = told;
    this.#told = told;
    this.#showItem(item);
    this.place = place;
    this.shown = { item_id: ranked.item_id, ranking_id: rankingId, position: ranked.position };
    this.#place.replaceChildren(hidden(t("place ")), String(place));
    this.#showMove(was, place);
    const { explanation } = ranked;
    const reasons = explanation?.reasons ?? [];
    this.#because.textContent = reasons.slice(0, 2).join(" · ");
    this.#whyBody.replaceChildren(...(explanation ? why(explanation, reasons, ranked.score, scale) : []));
    if (this.#why.open) this.#tellStranger();
  }

  /** Show an item that no ranking has put anywhere. */
  offer(item) {
    this.#showItem(item);
    this.shown = { item_id: item.item_id };
    this.#rank.hidden = true;
    this.#why.hidden = true;
  }

  focus() {
    this.#title.focus();
  }

  /** Add where the item would stand for somebody whom the shop does not know; asked for when it is looked at. */
  async #tellStranger() {
    const told = this.#told;
    const words = (await told.stranger?.())?.get(this.item.item_id);
    if (!words || told !== this.#told) return;
    this.#whyBody.querySelector(".stranger")?.remove();
    this.#whyBody.prepend(el("p", { class: "stranger" }, words));
  }

  /** What there is to hide: the item, its brand, its category. */
  #showUnwanted({ brand, category, title }) {
    const levels = category.split(">").map((level) => level.trim()).filter(Boolean);
    const leaf = levels.at(-1);
    const choices = [
      [t("This product"), () => this.shown, title],
      brand ? [t("All of {brand}", { brand }), () => ({ brand }), brand] : null,
      leaf ? [t("All of {brand}", { brand: leaf }), () => ({ category: levels.join(" > ") }), leaf] : null,
    ];
    this.#unwantedBody.replaceChildren(...choices.filter(Boolean).map(([words, thing, name]) => {
      const button = el("button", { type: "button" }, words);
      button.addEventListener("click", () => {
        this.#unwanted.open = false;
        this.#onEvent("hide", thing(), this.element, name);
      });
      return button;
    }));
  }

  #showItem(item) {
    this.item = item;
    const leaf = item.category.split(">").at(-1).trim();
    this.element.dataset.itemId = item.item_id;
    this.element.style.setProperty("--hue", hue(item.category || item.brand || item.title));
    this.#tile.textContent = Array.from(item.title.trim())[0]?.toUpperCase() ?? "";
    this.#title.textContent = item.title;
    this.#title.title = item.title;
    this.#facts.textContent = [item.brand, leaf].filter(Boolean).join(" · ");
    this.#facts.title = item.category;
    this.#price.textContent = money(item.price, item.currency);
    this.#showUnwanted(item);
    this.#cart.replaceChildren(t("Add to cart"), hidden(`: ${item.title}`));
  }

  #showMove(was, now) {
    const places = was ? was - now : 0;
    const kind = was === null ? "new" : places > 0 ? "up" : places < 0 ? "down" : "";
    this.#moved.className = `moved ${kind}`;
    if (kind === "new") this.#moved.replaceChildren(t("new"));
    else if (!kind) this.#moved.replaceChildren();
    else {
      const n = Math.abs(places);
      const arrow = el("span", { "aria-hidden": "true" }, `${kind === "up" ? "▲" : "▼"} ${n}`);
      this.#moved.replaceChildren(arrow, hidden(t(kind === "up" ? "{n} up" : "{n} down", { n })));
    }
  }
}

/** The reasons, and what the score is made of for those who keep the shop. */
function why(explanation, told, score, scale) {
  const { contributions, baseline } = explanation;
  const parts = Object.entries(contributions ?? explanation.parts).filter(([, value]) => Math.abs(value) > 1e-4);
  parts.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  return [
    explanation.known_item ? null : el("p", {}, t("The catalogue does not know this item.")),
    told.length ? list(told) : el("p", { class: "quiet" }, t("Nothing that can be told in words.")),
    parts.length
      ? el(
          "details", { class: "made" },
          el("summary", {}, t("How it was scored")),
          el("p", { class: "quiet" }, t("Score {score}, made of", { score: score.toFixed(3) })),
          contributions ? el("p", { class: "quiet" }, t("{baseline} for an item that nobody knows, and", { baseline: baseline.toFixed(2) })) : null,
          el("ul", { class: "parts" }, ...parts.slice(0, 6).map(([name, value]) => row(name, value, scale))),
        )
      : null,
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
