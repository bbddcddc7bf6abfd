
// What is selected stands in the address: #<trace id> or #<trace id>/<span id>, so that links, the
// back button and a reload work. Text is always a text node; names of spans are never markup.

const POLL_MS = 1000;
const COLORS = 6;
const found = (id) => document.getElementById(id);
const services = new Map(); // name -> index of its colour
const entries = new Map(); // trace id -> its element in the list, which stays while it is polled
const open = new Set(); // ids of spans that are unfolded
let traces = [];
let shown = null; // the trace on the right, and the text that it came as
let scale = null; // "request" or "all", as asked; null: as fits

["vitrine", "triton-inference-server", "vitrine-ingest"].forEach(color);

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** The class of a service's colour. */
function color(service) {
  if (!services.has(service)) services.set(service, services.size % COLORS);
  return `s${services.get(service)}`;
}

function duration(ms) {
  if (ms === 0) return "0";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const clock = (ms) => new Date(ms).toLocaleTimeString([], { hourCycle: "h23" });
const dot = (service) => el("span", { class: `dot ${color(service)}`, title: service });
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const selection = () => location.hash.slice(1).split("/");

// The list

function listed(trace) {
  const text = found("text").value.trim().toLowerCase();
  const told = [trace.name, trace.trace_id, ...trace.services].join("\n").toLowerCase();
  return told.includes(text) && trace.duration_ms >= Number(found("least").value)
    && (trace.failed || !found("errors").checked);
}

function entry(trace) {
  const told = JSON.stringify(trace);
  const known = entries.get(trace.trace_id);
  if (known?.told === told) return known.item;
  const item = known?.item ?? el("li", {}, el("a", { href: `#${trace.trace_id}` }));
  const link = item.firstChild;
  link.classList.toggle("failed", trace.failed);
  link.replaceChildren(
    el("span", { class: "name" }, trace.name),
    el("span", { class: "ms" }, duration(trace.duration_ms)),
    el("span", { class: "facts" },
      trace.services.map((service) => [dot(service), " "]).flat(),
      [plural(trace.spans, "span"), trace.status].filter(Boolean).join(" · "), " ",
      trace.failed && el("span", { class: "mark error" }, "error"), " ",
      trace.late && el("span", { class: "mark late" }, "late")),
    el("span", { class: "when" }, clock(trace.start_ms)),
  );
  entries.set(trace.trace_id, { item, told });
  return item;
}

function showList() {
  const list = found("list");
  const wanted = traces.filter(listed);
  const items = wanted.map(entry);
  // Only what is new is put in: the focus and the place of the scrolled list stay.
  const stay = new Set(items);
  [...list.children].forEach((item) => stay.has(item) || item.remove());
  items.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  const kept = new Set(traces.map((trace) => trace.trace_id));
  [...entries.keys()].forEach((id) => kept.has(id) || entries.delete(id));
  const all = plural(traces.length, "trace");
  found("count").textContent = wanted.length === traces.length ? all : `${wanted.length} of ${all}`;
  markSelected();
}

function markSelected() {
  const [selected] = selection();
  for (const [id, { item }] of entries) {
    if (id === selected) item.firstChild.setAttribute("aria-current", "true");
    else item.firstChild.removeAttribute("aria-current");
  }
}

// The waterfall

/** Start and length of what the bars are drawn in, ms. */
function extent(trace) {
  const ends = trace.rows.map((row) => row.offset_ms + row.duration_ms);
  const all = { from: 0, length: Math.max(...ends, 0.001) };
  // Writes come long after the answer; in their scale the request would be a stroke.
  const head = trace.rows[0];
  const request = { from: head.offset_ms, length: Math.max(head.duration_ms, 0.001) };
  const within = (row) => row.offset_ms <= request.from + request.length;
  const outside = trace.rows.filter((row) => !within(row)).length;
  const fits = outside <= trace.rows.length / 2 ? "request" : "all";
  const kind = outside === 0 ? "all" : scale ?? fits;
  return { ...(kind === "request" ? request : all), kind, outside };
}

function ruler({ length }) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((at) => {
    const mark = el("span", {}, duration(at * length));
    mark.style.setProperty("--at", at);
    return mark;
  });
  return el("div", { class: "row ruler", "aria-hidden": "true" },
    el("span", {}, "span (click for details)"), el("span", { class: "time" }, marks), el("span", { class: "ms" }, "took"));
}

function bar(row, { from, length }) {
  const start = (row.offset_ms - from) / length;
  if (start > 1) {
    return el("span", { class: "after" }, `${duration(row.offset_ms - from - length)} after the end →`);
  }
  const fill = el("span", { class: "bar" });
  const left = Math.max(start, 0);
  const right = Math.min((row.offset_ms + row.duration_ms - from) / length, 1);
  fill.style.setProperty("--from", left);
  fill.style.setProperty("--share", Math.max(right - left, 0));
  return fill;
}

function span(row, window_) {
  const unfolded = open.has(row.span_id);
  const name = el("span", { class: "name" },
    dot(row.service),
    el("span", { class: "text", title: row.name }, row.name),
    row.failed && el("span", { class: "mark error" }, "error"),
    row.links.length > 0 && el("span", { class: "quiet" }, plural(row.links.length, "link")),
    row.orphan && el("span", { class: "mark lost" }, "parent not here"));
  name.style.setProperty("--depth", row.depth);
  const line = el("button",
    { class: `row ${color(row.service)}${row.failed ? " failed" : ""}`, type: "button",
      "data-span": row.span_id, "aria-expanded": String(unfolded) },
    name, el("span", { class: "time" }, bar(row, window_)),
    el("span", { class: "ms" }, duration(row.duration_ms)));
  line.addEventListener("click", () => {
    if (!open.delete(row.span_id)) open.add(row.span_id);
    showTrace();
  });
  return el("li", {}, line, unfolded && more(row));
}

function more(row) {
  const facts = {
    service: row.service || "unknown",
    started: duration(row.offset_ms),
    ...row.attributes,
    "span id": row.span_id,
    ...(row.orphan && { parent: `${row.parent_id} (the caller's, still on its way, or lost)` }),
  };
  const told = Object.entries(facts).map(([name, value]) => [
    el("dt", {}, name),
    el("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)),
  ]);
  return el("div", { class: "more" }, el("dl", {}, told.flat()),
    row.links.length > 0 && el("div", { class: "links" },
      el("span", { class: "quiet" }, "Linked: mates of its batch, and who led the call"),
      el("ol", {}, row.links.map(linked))));
}

function linked(link) {
  if (link.trace === null) {
    return el("li", { class: "quiet" }, el("code", {}, link.trace_id), " is not kept");
  }
  return el("li", {},
    el("a", { href: `#${link.trace_id}/${link.span_id}` },
      `${link.span ?? "a span that is not here"} of ${link.trace}`),
    " ", el("code", { class: "quiet" }, link.trace_id.slice(0, 8)));
}

function showTrace() {
  const main = found("trace");
  const { trace } = shown;
  const window_ = extent(trace);
  const focused = document.activeElement?.dataset?.span;
  const kinds = [["request", "Request"], ["all", "Everything"]];
  const choose = ([kind, label]) => {
    const button = el("button", { type: "button", "aria-pressed": String(kind === window_.kind) }, label);
    button.addEventListener("click", () => { scale = kind; showTrace(); });
    return button;
  };
  main.replaceChildren(
    el("div", { class: "head" }, el("h2", {}, trace.name),
      el("span", { class: "ms" }, duration(trace.duration_ms)),
      trace.failed && el("span", { class: "mark error" }, "error"),
      trace.late && el("span", { class: "mark late" }, "late: kept because it was slow or failed"),
      window_.outside > 0 && el("div", { class: "scale", role: "group", "aria-label": "Scale" }, kinds.map(choose))),
    el("p", { class: "facts-line quiet" },
      el("span", {}, clock(trace.start_ms)), el("span", {}, plural(trace.spans, "span")),
      trace.services.map((service) => el("span", {}, dot(service), service || "unknown service")),
      el("code", {}, trace.trace_id), shown.gone && el("span", { class: "mark lost" }, "no longer kept")),
    el("div", { class: "fall" }, ruler(window_), el("ol", {}, trace.rows.map((row) => span(row, window_)))),
  );
  if (focused) main.querySelector(`[data-span="${CSS.escape(focused)}"]`)?.focus();
}

function showNothing(text) {
  found("trace").replaceChildren(el("p", { class: "empty quiet" }, text));
}

// Asking

async function ask(path) {
  const answer = await fetch(path);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`the viewer answered ${answer.status}`);
  return answer.text();
}

async function load() {
  const [id, spanId] = selection();
  if (!id) return showNothing(traces.length ? "Choose a trace." : "No traces yet: send a request.");
  const text = await ask(`traces/${encodeURIComponent(id)}`);
  if (selection()[0] !== id) return undefined; // another was chosen meanwhile
  if (shown?.id !== id) {
    open.clear();
    scale = null;
  } else if (text === shown.text) return undefined;
  if (text === null && shown?.id !== id) return showNothing(`Trace ${id} is not kept.`);
  const isNew = shown?.id !== id;
  shown = { id, text, gone: text === null, trace: text === null ? shown.trace : JSON.parse(text) };
  if (isNew && spanId) open.add(spanId);
  showTrace();
  if (isNew && spanId) found("trace").querySelector(`[data-span="${CSS.escape(spanId)}"]`)?.focus();
  return undefined;
}

async function refresh() {
  try {
    if (found("live").checked) traces = JSON.parse(await ask("traces")).traces;
    showList();
    await load();
    found("problem").textContent = "";
  } catch (error) {
    found("problem").textContent = `No answer: is make serve still running? (${error.message})`;
  }
}

async function poll() {
  await refresh();
  setTimeout(poll, POLL_MS);
}

addEventListener("hashchange", () => {
  shown = null;
  markSelected();
  refresh();
});
found("filter").addEventListener("input", showList);
found("filter").addEventListener("submit", (event) => event.preventDefault());
poll();
