// Tells Vitrine what a shopper sees and does on a page of a storefront: docs/browser.md.
// Without consent it sends nothing and stores nothing. Its one global is `vitrine`.
(() => {
  "use strict";

  const SEEN_SHARE = 0.5; // so much of an item in view,
  const SEEN_MS = 1000; // for so long, is an impression
  const FLUSH_MS = 1000; // events of a second are one request
  const MAX_BATCH = 50; // the service takes no more of a publishable key at once
  const MAX_WAITING = 500; // when nothing can be sent, the oldest go first
  const MAX_WAIT_MS = 60_000;
  const DAY_MS = 86_400_000; // the service takes no older event of a page
  const ITEM = "[data-vitrine-item]";
  const STORED_SESSION = "vitrine.session"; // in sessionStorage
  const STORED_EVENTS = "vitrine.events"; // in localStorage, what could not be sent

  let options = null;
  let session = null; // null: there is no consent
  let waiting = [];
  let underWay = []; // of those that wait, the ones in the request that runs
  let failures = 0; // in a row
  let timer = null;
  const told = new Set(); // impressions, by ranking and item
  const inView = new Map(); // element -> the timer that will count it

  /** Call once. Nothing happens before a consent, given here or by `consent(true)` later. */
  function init({ url, key, consent: given, session: id = null, user = null } = {}) {
    if (!url || !key) throw new TypeError("vitrine.init needs url and key");
    if (options) throw new Error("vitrine.init was called before");
    const endpoint = `${String(url).replace(/\/+$/, "")}/v1/events?key=${encodeURIComponent(key)}`;
    options = { endpoint, session: id, user };
    if (given !== undefined) consent(given);
  }

  /** What the shopper decided. `false` forgets what waits, and the session. */
  function consent(given) {
    if (!options) throw new Error("call vitrine.init first");
    if (given === true && session === null) begin();
    if (given !== true) end();
  }

  /** Tell an event; `fields` as in docs/api.md. Without consent it is forgotten at once. */
  function track(type, fields = {}) {
    if (session === null) return;
    const event = { event_id: randomId(), type, at: new Date().toISOString(), session_id: session };
    if (options.user) event.user_id = options.user;
    waiting.push({ ...event, ...fields });
    bound();
    if (failures === 0) sendIn(FLUSH_MS);
  }

  /** The shopper is not interested in an item, or is after all; rank again to have it gone. */
  const hide = (itemId, fields) => decide("hide", itemId, fields);
  const unhide = (itemId, fields) => decide("unhide", itemId, fields);

  function decide(type, itemId, fields = {}) {
    if (!itemId) throw new TypeError(`vitrine.${type} needs an item id`);
    track(type, { ...fields, item_id: String(itemId) });
    if (session !== null && failures === 0) sendIn(0); // what is shown next depends on it
  }

  function begin() {
    session = options.session || stored(sessionStorageOf, STORED_SESSION) || randomId();
    store(sessionStorageOf, STORED_SESSION, session);
    watchAll(document);
    changes.observe(document, {
      childList: true, subtree: true, attributeFilter: ["data-vitrine-item", "data-vitrine-ranking"],
    });
    resume();
  }

  function end() {
    session = null;
    waiting = [];
    clearTimeout(timer);
    timer = null;
    failures = 0;
    changes.disconnect();
    views.disconnect();
    for (const pending of inView.values()) clearTimeout(pending);
    inView.clear();
    told.clear();
    store(sessionStorageOf, STORED_SESSION, null);
    store(localStorageOf, STORED_EVENTS, null);
  }

  // --- what is seen and clicked ---

  const views = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      clearTimeout(inView.get(target));
      inView.delete(target);
      if (intersectionRatio >= SEEN_SHARE) {
        inView.set(target, setTimeout(() => seen(target), SEEN_MS));
      }
    }
  }, { threshold: SEEN_SHARE });

  const changes = new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      if (type === "attributes") watch(target);
      for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) watchAll(node);
    }
  });

  function watchAll(root) {
    if (root !== document && root.matches(ITEM)) watch(root);
    root.querySelectorAll(ITEM).forEach(watch);
  }

  function watch(element) {
    views.unobserve(element); // observing anew reports it at once if it is in view
    views.observe(element);
  }

  function seen(element) {
    inView.delete(element);
    const shown = shownBy(element);
    if (!shown || !element.isConnected) return;
    if (document.visibilityState !== "visible") {
      watch(element); // reported again when the page is
      return;
    }
    views.unobserve(element);
    const once = `${shown.ranking_id ?? ""} ${shown.item_id}`;
    if (told.has(once)) return;
    told.add(once);
    track("impression", shown);
  }

  function shownBy(element) {
    const { vitrineItem, vitrineRanking, vitrinePosition } = element.dataset;
    if (!vitrineItem) return null;
    const shown = { item_id: vitrineItem };
    if (vitrineRanking) shown.ranking_id = vitrineRanking;
    if (vitrinePosition) shown.position = Number(vitrinePosition);
    return shown;
  }

  /** A link inside an item that is followed is a click on it. */
  function clicked(event) {
    if (session === null || !(event.target instanceof Element)) return;
    if (event.type === "auxclick" && event.button !== 1) return; // the middle one opens a tab
    const element = event.target.closest(ITEM);
    const shown = element && event.target.closest("a[href]") && shownBy(element);
    if (!shown) return;
    track("click", shown);
    if (failures === 0) sendIn(0); // the page may be left next
  }

  // --- sending ---

  function sendIn(ms) {
    if (timer !== null && ms > 0) return;
    clearTimeout(timer);
    timer = setTimeout(send, ms);
  }

  async function send() {
    timer = null;
    if (underWay.length || !waiting.length) return;
    const batch = (underWay = waiting.slice(0, MAX_BATCH));
    let retryAfterMs = null;
    try {
      // A text without headers of our own needs no question beforehand (CORS preflight).
      const request = { method: "POST", body: bodyOf(batch), keepalive: true, credentials: "omit" };
      const answer = await fetch(options.endpoint, request);
      if (answer.status === 429 || answer.status >= 500) {
        retryAfterMs = 1000 * (Number(answer.headers.get("retry-after")) || 0);
      } else {
        const said = await answer.json();
        if (!answer.ok) console.warn("vitrine: refused:", said.detail);
        for (const event of said.rejected ?? []) console.warn("vitrine: refused:", event.detail);
      }
    } catch {
      retryAfterMs = 0; // the network, or an answer that this origin may not read
    }
    underWay = [];
    if (session === null) return;
    if (retryAfterMs === null) {
      failures = 0;
      waiting = waiting.filter((event) => !batch.includes(event));
      if (waiting.length) sendIn(waiting.length < MAX_BATCH ? FLUSH_MS : 0);
    } else {
      failures += 1;
      clearTimeout(timer);
      timer = null;
      const backOffMs = Math.min(MAX_WAIT_MS, FLUSH_MS * 2 ** failures) * (0.5 + Math.random() / 2);
      sendIn(Math.max(backOffMs, retryAfterMs));
    }
  }

  /** The page may be gone after this: the browser sends what it is handed now. */
  function leave() {
    if (session === null || !waiting.length) return;
    const unsure = failures > 0 || navigator.onLine === false;
    const left = [];
    const open = waiting.filter((event) => !underWay.includes(event));
    for (let start = 0; start < open.length; start += MAX_BATCH) {
      const batch = open.slice(start, start + MAX_BATCH);
      const beacon = new Blob([bodyOf(batch)], { type: "text/plain" });
      const taken = navigator.sendBeacon(options.endpoint, beacon);
      // What is sent twice counts once, by its id.
      if (unsure || !taken) left.push(...batch);
    }
    waiting = [...underWay];
    if (left.length) {
      store(localStorageOf, STORED_EVENTS, JSON.stringify([...storedEvents(), ...left].slice(-MAX_WAITING)));
    }
  }

  /** What an earlier page could not send. */
  function takeBack() {
    const since = Date.now() - DAY_MS;
    const earlier = storedEvents().filter((event) => Date.parse(event.at) > since);
    store(localStorageOf, STORED_EVENTS, null);
    waiting = [...earlier, ...waiting];
    bound();
  }

  /** The page is looked at again. */
  function resume() {
    if (session === null) return;
    takeBack();
    if (waiting.length && timer === null) sendIn(0);
  }

  function bound() {
    if (waiting.length > MAX_WAITING) waiting = waiting.slice(-MAX_WAITING);
  }

  function bodyOf(events) {
    return JSON.stringify({ events });
  }

  // --- storage: a browser may forbid it, and then memory must do ---

  const sessionStorageOf = () => window.sessionStorage;
  const localStorageOf = () => window.localStorage;

  function stored(storageOf, name) {
    try {
      return storageOf().getItem(name);
    } catch {
      return null;
    }
  }

  function store(storageOf, name, value) {
    try {
      if (value === null) storageOf().removeItem(name);
      else storageOf().setItem(name, value);
    } catch {
      // forbidden or full
    }
  }

  function storedEvents() {
    try {
      const events = JSON.parse(stored(localStorageOf, STORED_EVENTS) ?? "[]");
      return Array.isArray(events) ? events : [];
    } catch {
      return [];
    }
  }

  /** 128 random bits; crypto.randomUUID is there on secure pages only. */
  function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  document.addEventListener("click", clicked, true);
  document.addEventListener("auxclick", clicked, true);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") leave();
    else resume();
  });
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) resume(); // from the back-forward cache
  });

  window.vitrine = Object.freeze({ init, consent, track, hide, unhide, session: () => session });
})();
