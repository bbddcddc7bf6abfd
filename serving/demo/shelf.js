// A ranked list of cards. When the ranking changes, the cards travel to their new places.

import { Card } from "./card.js";
import { el, hidden } from "./dom.js";
import { timeline } from "./timing.js";
import { REASONS, ROUTES } from "./words.js";

const TRAVEL_MS = 650;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Shelf {
  #section;
  #items;
  #behavior;
  #onEvent;
  #cards = new Map();
  #meta = el("div", { class: "meta" });
  #list = el("ol", { class: "cards" });

  constructor(section, items, behavior, onEvent) {
    this.#section = section;
    this.#items = items;
    this.#behavior = behavior;
    this.#onEvent = onEvent;
    section.append(this.#meta, this.#list);
  }

  /** Back to an empty shelf that waits for its first answer. */
  clear() {
    for (const card of this.#cards.values()) this.#behavior.unwatch(card.element);
    this.#cards.clear();
    this.#meta.replaceChildren();
    this.#list.replaceChildren();
  }

  busy(is) {
    this.#section.setAttribute("aria-busy", String(is));
  }

  /** Show an answer; returns how many items changed place or are new since the last one. */
  show(answer) {
    const { body } = answer;
    const first = this.#cards.size === 0;
    const before = new Map([...this.#cards].map(([id, card]) => [id, card.element.getBoundingClientRect()]));
    const places = new Map([...this.#cards].map(([id, card]) => [id, card.shown.position]));
    const scale = Math.max(1e-6, ...body.items.flatMap((each) => Object.values(each.explanation?.parts ?? {}).map(Math.abs)));
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;

    const cards = new Map();
    let changed = 0;
    for (const ranked of body.items) {
      const card = this.#cards.get(ranked.item_id) ?? new Card(this.#onEvent);
      const was = first ? undefined : (places.get(ranked.item_id) ?? null);
      card.show(this.#items.get(ranked.item_id), ranked, body.ranking_id, was, scale);
      if (was !== undefined && was !== ranked.position) changed += 1;
      cards.set(ranked.item_id, card);
    }
    for (const [itemId, card] of this.#cards) {
      if (!cards.has(itemId)) this.#behavior.unwatch(card.element);
    }
    this.#cards = cards;
    this.#list.replaceChildren(...[...cards.values()].map((card) => card.element));
    if (!cards.size) this.#list.append(el("li", { class: "nothing" }, "Nothing was found."));
    focused?.focus({ preventScroll: true });
    const open = this.#meta.querySelector("details")?.open ?? false;
    this.#meta.replaceChildren(...meta(answer, open));
    this.#travel(before, first);
    for (const card of cards.values()) this.#behavior.watch(card.element, card.shown);
    return changed;
  }

  #travel(before, first) {
    if (calm.matches || first) return;
    for (const [itemId, { element }] of this.#cards) {
      const from = before.get(itemId);
      const to = element.getBoundingClientRect();
      const keyframes = from
        ? [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }]
        : [{ opacity: 0, transform: "scale(0.94)" }, { opacity: 1, transform: "none" }];
      if (!from || from.left !== to.left || from.top !== to.top) {
        element.animate(keyframes, { duration: TRAVEL_MS, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" });
      }
    }
  }
}

/** Who ranked, with which version, in what time. */
function meta(answer, open) {
  const { route, reason, model_version: version } = answer.body;
  const code = reason ? `${route} · ${reason}` : route;
  return [
    el(
      "p", { class: "route", "data-route": route },
      el("span", { class: "badge" }, code),
      " ",
      el("span", {}, ROUTES[route] ?? route, reason ? `: ${REASONS[reason] ?? reason}` : ""),
      version ? el("span", { class: "version" }, hidden(", "), `version ${version}`) : null,
    ),
    timeline(answer, open),
  ];
}
