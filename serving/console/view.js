// Experiments as elements. Whatever comes from the service is a text node, never markup.

import { band } from "./band.js";
import { el } from "./dom.js";
import { KINDS, TONES, ago, count, differs, lift, meant, percent, range } from "./words.js";

const badge = (text, tone = "") => el("span", { class: `badge ${tone}` }, text);

/** One experiment; reading: its newest one, or null. */
export function card(experiment, reading, width, nowMs) {
  const id = `e-${experiment.key}`;
  const drawn = experiment.kind !== "shadow";
  return el("article", { class: "experiment", "data-key": experiment.key, "aria-labelledby": id },
    el("header", {},
      el("h2", { id, tabindex: "-1" }, experiment.key),
      badge(KINDS[experiment.kind] ?? experiment.kind),
      experiment.by_api ? badge("by API") : null,
      state(experiment)),
    el("p", { class: "quiet" }, meant(experiment)),
    decided(experiment, nowMs),
    gate(experiment),
    ...(drawn ? verdict(experiment, reading) : []),
    el("ul", { class: "arms" }, ...experiment.arms.map((arm) => armCard(experiment, arm, reading))),
    ...(reading?.arms ?? []).flatMap((arm) => findings(arm, reading, width)),
    buttons(experiment),
    drawn ? readAt(reading, nowMs) : null);
}

function state({ status, decision, active }) {
  if (decision?.action === "stop") return badge("stopped", "bad");
  if (decision?.action === "promote") return badge(`promoted: ${decision.arm}`, "good");
  if (status === "running" && active === false) return badge("waiting");
  return badge(status, status === "running" ? "good" : "");
}

function decided({ decision }, nowMs) {
  if (!decision) return null;
  const what = decision.action === "promote" ? `“${decision.arm}” was promoted` : "Stopped";
  const by = decision.by === "policy" ? `by its ${decision.action === "stop" ? "guard" : "policy"}` : "by an administrator";
  const why = decision.why ? `: ${decision.why}` : "";
  return el("p", { class: "decided" }, `${what} ${by}, ${ago(new Date(decision.at), nowMs)}${why}`);
}

/** The sample ratio first: what it forbids to read is not to be believed. */
function verdict(experiment, reading) {
  if (!reading) {
    const told = "Not read yet: a job reads what runs every few minutes.";
    return [el("p", { class: "quiet" }, experiment.status === "running" ? told : "Not read: only what runs is.")];
  }
  const ratio = reading.sample_ratio;
  const sizes = ratio?.arms.map((arm) => `${count(arm.shoppers)} in ${arm.arm}`).join(", ");
  const warned = ratio?.state === "warning" && el("p", { class: "warning" },
    el("strong", {}, "Sample ratio: "),
    `the arms may not be as large as their weights say (${sizes}; p = ${p(ratio.p_value)}). Look again tomorrow.`);
  return [
    warned || null,
    el("p", { class: `verdict ${TONES[reading.verdict.word] ?? "open"}` }, reading.verdict.sentence),
    reading.interleaving ? preference(reading.interleaving) : null,
    reading.in_two_arms > 0
      ? el("p", { class: "quiet" }, `${count(reading.in_two_arms)} shoppers met several arms and are left out.`)
      : null,
  ];
}

/** Whose picks shoppers took, where two arms picked in turn for one slate. */
function preference({ share, low, high, shoppers }) {
  const between = `${percent(low)} to ${percent(high)}`;
  return el("p", {}, `${percent(share)} of the credit is the other arm's (${between}); 50 % is no preference. `
    + `${count(shoppers)} shoppers took a pick of either.`);
}

function armCard(experiment, arm, reading) {
  const size = reading?.sample_ratio?.arms.find((each) => each.arm === arm.key);
  const drawn = experiment.kind !== "shadow";
  const control = drawn && arm === experiment.arms[0];
  const whom = drawn ? "of shoppers" : "of requests";
  // Of interleaved ones it counts who picked first.
  const met = size && experiment.kind === "ab" ? `; ${count(size.shoppers)} met it` : "";
  return el("li", { "data-key": arm.key },
    el("h3", {}, arm.key, control ? el("span", { class: "quiet" }, " control") : null),
    el("p", { class: "quiet" }, differs(arm)),
    el("p", {}, el("strong", {}, percent(arm.share)), ` ${whom}${met}`),
    drawn ? live(experiment, arm) : compared(experiment));
}

const TIMES = [["5 min", "last_5_minutes"], ["60 min", "last_60_minutes"]];

function live({ live: told, decision, status }, arm) {
  if (!told || status !== "running") return null; // no live: the store does not answer
  const whose = decision?.action === "promote" && decision.arm === arm.key ? "promoted" : "arms";
  return table(["", "rankings", "fallbacks", "model, p99"], TIMES.map(([name, minutes]) => {
    const found = told[minutes][whose][arm.key];
    const { rankings = 0, fallbacks = 0, model_ms: ms } = found ?? {};
    return [name, count(rankings), rankings > 0 ? percent(fallbacks / rankings) : "–", ms?.p99 ? `${count(ms.p99)} ms` : "–"];
  }));
}

function compared({ live: told }) {
  if (!told) return null;
  return table(["", "compared", "failed", "overlap"], TIMES.map(([name, minutes]) => {
    const found = told[minutes].shadow;
    return [name, count(found?.compared ?? 0), count(found?.failed ?? 0), found?.overlap?.toFixed(2) ?? "–"];
  }));
}

/** How far a shadow is with its gate, or that an experiment waits for one. */
function gate({ gate: asked, shown, after, active, status, decision }) {
  if (asked && shown?.passed_at) return el("p", { class: "quiet" }, `Version ${shown.version} has passed the gate.`);
  if (asked) {
    const done = `${count(shown?.compared ?? 0)} of ${count(asked.compared)} requests compared`;
    const again = shown?.rounds ? `; not passed so far: ${count(shown.rounds)}, it began anew` : "";
    return el("p", { class: "quiet" }, `Gate: ${done}${again}.`);
  }
  const waits = after && status === "running" && active === false && !decision;
  return waits ? el("p", { class: "quiet" }, `Draws nobody until the gate of “${after}” is passed.`) : null;
}

/** Rows of texts; the first of each says what the row is about. */
function table(head, rows) {
  return el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map(([name, ...cells]) =>
      el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((text) => el("td", {}, text))))));
}

function scrolled(label, content) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, content);
}

function findings(arm, reading, width) {
  const { deciding, by_day: days, guard_rails: rails, others } = arm;
  const level = reading.alpha === null ? "" : `, ${percent(1 - reading.alpha, 0)}`;
  const label = `${deciding.metric} of ${arm.arm} against ${reading.control}: ${lift(deciding.lift)}, `
    + `from ${range(deciding.low, deciding.high)}, over ${days.length} days`;
  return [
    el("section", { class: "finding", "data-key": `of-${arm.arm}`, "aria-label": `${arm.arm} against ${reading.control}` },
      el("h3", {}, `${deciding.metric}, ${arm.arm} against ${reading.control}`),
      days.length > 0
        ? el("figure", {}, band(days, width, label),
          el("figcaption", { class: "quiet" }, `Lift by day with its band${level}, which holds on all days at once.`))
        : el("p", { class: "quiet" }, "Too few shoppers for a band yet: 100 in each arm."),
      rails.length > 0 ? el("ul", { class: "rails", "aria-label": "Guard rails" }, ...rails.map(rail)) : null,
      el("details", { "data-key": "more" },
        el("summary", {}, "All that was measured"),
        scrolled(`Metrics of ${arm.arm}`,
          metrics([deciding, ...others, ...rails.map(({ reading: read }) => read)], reading.control, arm.arm)),
        days.length > 0
          ? scrolled("By day", table(["day", "lift", "range"],
            days.map((each) => [String(each.day), lift(each.lift), range(each.low, each.high)])))
          : null)),
  ];
}

function rail({ reading, bound, state }) {
  const tone = { kept: "good", broken: "bad", open: "open" }[state];
  const alike = reading.low === null && reading.control !== null && reading.control === reading.treatment;
  const same = reading.control === 0 ? "none yet" : "the same for all shoppers";
  const may = alike ? same : range(reading.low, reading.high);
  return el("li", {}, badge(state, tone), ` ${reading.metric}: ${may}; may be ${percent(bound, 0)} worse`);
}

function metrics(rows, control, arm) {
  return table(["metric", "shoppers", control, arm, "lift", "range", "p", "finding"], rows.map((row) => [
    row.segment === "all" ? row.metric : row.segment.replaceAll("_", " "),
    row.shoppers.map(count).join(" + "), number(row.control), number(row.treatment), lift(row.lift),
    range(row.low, row.high), p(row.adjusted_p ?? row.p_value), row.finding,
  ]));
}

const number = (value) => (value === null ? "–" : Number(value.toPrecision(4)).toString());

function p(value) {
  if (value === null) return "–";
  return value < 0.001 ? value.toExponential(0) : value.toFixed(3);
}

function buttons(experiment) {
  const button = (action, text, arm, tone = "") =>
    el("button", { type: "button", class: tone, "data-action": action, "data-arm": arm ?? null, "data-key": `${action} ${arm ?? ""}` }, text);
  if (experiment.status !== "running") return null;
  const now = experiment.decision?.action ?? "resume";
  const arms = experiment.kind === "shadow" ? [] : experiment.arms;
  const others = arms.filter((arm) => now !== "promote" || arm.key !== experiment.decision.arm);
  return el("div", { class: "actions" },
    ...others.map((arm) => button("promote", `Promote ${arm.key}`, arm.key)),
    now === "resume" ? null : button("resume", "Resume"),
    now === "stop" ? null : button("stop", now === "promote" ? "Roll back" : "Stop", null, "danger"));
}

function readAt(reading, nowMs) {
  if (!reading) return null;
  const at = new Date(reading.read_at);
  return el("p", { class: "quiet" }, `Read ${ago(at, nowMs)}, in ${reading.took_s.toFixed(1)} s.`);
}

/** Which versions of the ranker there are. */
export function versions(told) {
  const tries = told.candidates.map(({ version, loaded, experiments, placements }) => {
    const how = loaded ? "loaded" : loaded === null ? "does not answer" : "not loaded: the one in use answers for it";
    return el("li", {}, el("strong", {}, `version ${version}`), ` ${how} (${[...experiments, ...placements].join(", ")})`);
  });
  return el("p", { class: "versions" }, "Ranker: ",
    el("strong", {}, told.in_use === null ? "no version has answered" : `version ${told.in_use} in use`),
    tries.length ? el("ul", {}, ...tries) : null);
}

/** What to do where nothing is declared. */
export function nothing() {
  const example = "experiments:\n  - key: wider\n    status: running\n    arms:\n      - {key: control}\n"
    + "      - {key: spread, rules: {diversity: {max_same: 2}}}";
  return el("div", { class: "nothing", "data-key": "(nothing)" },
    el("h2", {}, "No experiment is declared"),
    el("p", {}, "Declare one in the file of the rules, rules.yaml in the state folder or rules in the chart's values, "
      + "and restart (the chart: upgrade), or by PUT /v1/experiments/{key}, without a restart:"),
    el("pre", {}, example),
    el("p", { class: "quiet" }, "docs/experiments.md tells all keys; make plan-experiment how many shoppers it needs."));
}
