// A ranked list of cards. When the ranking changes, the cards travel to their new places.

import { Card } from "./card.js";
import { el, hidden } from "./dom.js";
import { t } from "./language.js";
import { timeline } from "./timing.js";
import { REASONS, ROUTES, UNRANKED } from "./words.js";

const TRAVEL_MS = 650;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Shelf {
  #section;
  #items;
  #behavior;
  #onEvent;
  #nothing;
  #tells;
  #cards = new Map();
  #meta = el("div", { class: "meta" });
  #list = el("ol", { class: "cards" });

  /** `nothing` is said of an empty answer; null: somebody else says it. `tells`: who ranked, and how fast. */
  constructor(section, items, behavior, onEvent, nothing = t("Nothing was found."), tells = true) {
    this.#section = section;
    this.#items = items;
    this.#behavior = behavior;
    this.#onEvent = onEvent;
    this.#nothing = nothing;
    this.#tells = tells;
    section.append(...(tells ? [this.#meta] : []), this.#list);
  }

  get size() {
    return this.#cards.size;
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

  /**
   * Show an answer; returns how many items changed place or are new since the last one. `first`: it answers
   * another question than the last one.
   */
  show(answer, first = this.#cards.size === 0) {
    const { body } = answer;
    const before = new Map([...this.#cards].map(([id, card]) => [id, card.element.getBoundingClientRect()]));
    const places = new Map([...this.#cards].map(([id, card]) => [id, card.place]));
    const told = about(answer);
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;

    const cards = new Map();
    let changed = 0;
    for (const ranked of body.items) {
      const card = this.#cards.get(ranked.item_id) ?? new Card(this.#onEvent);
      const was = first ? undefined : (places.get(ranked.item_id) ?? null);
      card.show(this.#items.get(ranked.item_id), ranked, told, ranked.position, was);
      if (was !== undefined && was !== ranked.position) changed += 1;
      cards.set(ranked.item_id, card);
    }
    for (const [itemId, card] of this.#cards) {
      if (!cards.has(itemId)) this.#behavior.unwatch(card.element);
    }
    this.#cards = cards;
    this.#list.replaceChildren(...[...cards.values()].map((card) => card.element));
    if (!cards.size && this.#nothing) this.#list.append(el("li", { class: "nothing" }, this.#nothing));
    focused?.focus({ preventScroll: true });
    const open = this.#meta.querySelector("details")?.open ?? false;
    if (this.#tells) this.#meta.replaceChildren(...meta(answer, open));
    this.#travel(before, first);
    for (const card of cards.values()) this.#behavior.watch(card.element, card.shown);
    return changed;
  }

  /** Show the next page behind what is there, and lead the keyboard to it. */
  append(answer) {
    const told = about(answer);
    const added = [];
    for (const ranked of answer.body.items) {
      const card = new Card(this.#onEvent);
      this.#cards.set(ranked.item_id, card);
      card.show(this.#items.get(ranked.item_id), ranked, told, this.#cards.size);
      added.push(card);
    }
    this.#list.append(...added.map((card) => card.element));
    for (const card of added) this.#behavior.watch(card.element, card.shown);
    added[0]?.focus();
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

/** What the cards of an answer have in common. */
function about({ body, stranger }) {
  const parts = body.items.flatMap(({ explanation }) =>
    Object.values(explanation?.contributions ?? explanation?.parts ?? {}).map(Math.abs),
  );
  return { rankingId: body.ranking_id, scale: Math.max(1e-6, ...parts), stranger };
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
      el("span", {}, words(route, reason)),
      version ? el("span", { class: "version" }, hidden(", "), t("version {version}", { version })) : null,
    ),
    timeline(answer, open),
  ];
}

function words(route, reason) {
  if (UNRANKED[reason]) return t(UNRANKED[reason]);
  return [ROUTES[route] ?? route, REASONS[reason] ?? reason].filter(Boolean).map((each) => t(each)).join(t(": "));
}
