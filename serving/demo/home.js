// The home page: the shelves of one composed page. The first is there from the beginning.

import { el } from "./dom.js";
import { Shelf } from "./shelf.js";
import { shelfTitle } from "./words.js";

export class Home {
  #title;
  #first;
  #below;
  #items;
  #behavior;
  #onEvent;
  #top; // the placement of the first shelf
  #others = new Map(); // by placement

  /** `title`, `first`: of the shelf on top; `below`: where the others go. */
  constructor(title, first, below, items, behavior, onEvent) {
    this.#title = title;
    this.#first = first;
    this.#below = below;
    this.#items = items;
    this.#behavior = behavior;
    this.#onEvent = onEvent;
  }

  clear() {
    this.#first.clear();
    for (const { shelf } of this.#others.values()) shelf.clear();
    this.#others.clear();
    this.#below.replaceChildren();
  }

  busy(is) {
    this.#first.busy(is);
  }

  /** Show the shelves' answers; returns how many items of the first changed place or are new. */
  show([first, ...others]) {
    // What a shelf shows is not compared with what another one showed in its place.
    const another = first.body.placement !== this.#top || undefined;
    this.#top = first.body.placement;
    this.#title.textContent = shelfTitle(first.body);
    const changed = this.#first.show(first, another);
    const before = this.#others;
    this.#others = new Map(others.map(({ body }) => [body.placement, before.get(body.placement) ?? this.#made(body.placement)]));
    for (const [placement, { shelf }] of before) {
      if (!this.#others.has(placement)) shelf.clear();
    }
    this.#below.replaceChildren(...[...this.#others.values()].map(({ section }) => section));
    for (const answer of others) {
      const { shelf, title } = this.#others.get(answer.body.placement);
      title.textContent = shelfTitle(answer.body);
      shelf.show(answer);
    }
    return changed;
  }

  #made(placement) {
    const id = `shelf-${placement}`;
    const title = el("h2", { id });
    const section = el("section", { class: "shelf", "aria-labelledby": id, "data-placement": placement },
      el("div", { class: "shelf-head" }, title));
    return { section, title, shelf: new Shelf(section, this.#items, this.#behavior, this.#onEvent, null, false) };
  }
}
