// What the shopper does, told to the ranker.

import { Problem, randomId } from "./api.js";

const SEEN_SHARE = 0.5; // of a card in view is an impression
const FLUSH_MS = 800;

export class Behavior {
  #api;
  #waiting = [];
  #told = new Set();
  #timer = null;
  #onProblem;
  #shownBy = new WeakMap(); // card -> what it shows
  #observer = new IntersectionObserver((entries) => this.#saw(entries), { threshold: SEEN_SHARE });

  who = {}; // user_id?, session_id

  constructor(api, onProblem) {
    this.#api = api;
    this.#onProblem = onProblem;
  }

  /** Forget what waits: another shopper is here now. */
  become(who) {
    this.who = who;
    this.#waiting = [];
    this.#told.clear();
  }

  /** Tell one event; when this returns, it is on the server's disk. false: the shopper objects, and it is not kept. */
  async tell(type, fields, signal) {
    const { body } = await this.#api.call("POST", "v1/events", { events: [this.#event(type, fields)] }, signal);
    const [rejected] = body.rejected;
    if (rejected?.code === "objected") return false;
    if (rejected) throw new Problem("Event refused", rejected.detail, rejected.code);
    return true;
  }

  /** Tell an impression once `card` is in view; `shown` = {item_id, ranking_id, position}. */
  watch(card, shown) {
    this.#shownBy.set(card, shown);
    // Observing anew reports the card at once when it is in view already.
    this.#observer.unobserve(card);
    this.#observer.observe(card);
  }

  unwatch(card) {
    this.#observer.unobserve(card);
  }

  #saw(entries) {
    for (const { target, isIntersecting } of entries) {
      const shown = this.#shownBy.get(target);
      const place = `${shown?.ranking_id} ${shown?.item_id}`;
      if (!isIntersecting || !shown || this.#told.has(place)) continue;
      this.#told.add(place);
      this.#waiting.push(this.#event("impression", shown));
    }
    if (this.#waiting.length) this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  async #flush() {
    this.#timer = null;
    const events = this.#waiting.splice(0, 500);
    if (!events.length) return;
    try {
      await this.#api.call("POST", "v1/events", { events });
    } catch (error) {
      this.#onProblem(error);
    }
  }

  #event(type, fields) {
    return { event_id: randomId(), type, at: new Date().toISOString(), ...this.who, ...fields };
  }
}
