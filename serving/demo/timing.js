// Where the time of one answer went.

import { duration, el } from "./dom.js";
import { t } from "./language.js";
import { STAGES } from "./words.js";

/** The time of an answer as parts that add up to it, ms by name. */
export function parts(stages, ms) {
  const { total = 0, score = 0, batch_wait = 0, model = 0, ...own } = stages;
  const split = {
    validate: own.validate ?? 0,
    wait: own.wait ?? 0,
    retrieve: own.retrieve ?? 0,
    features: own.features ?? 0,
    batch_wait,
    model,
    hop: Math.max(score - batch_wait - model, 0),
    rules: own.rules ?? 0,
    slate: own.slate ?? 0,
  };
  const inStages = Object.values(split).reduce((sum, each) => sum + each, 0);
  split.rest = Math.max(total - inStages, 0);
  split.network = Math.max(ms - total, 0);
  return split;
}

/** A stacked bar of `parts` with a legend; what is too short to see is left out of both. */
export function timeline({ stages, ms }, open) {
  const shown = Object.entries(parts(stages, ms)).filter(([, spent]) => spent > ms / 200);
  const bar = el("div", { class: "timeline", "aria-hidden": "true" });
  const legend = el("ul", { class: "legend" });
  for (const [name, spent] of shown) {
    const piece = el("span", { class: "piece", "data-stage": name });
    piece.style.flexGrow = spent;
    bar.append(piece);
    const swatch = el("span", { class: "swatch", "data-stage": name, "aria-hidden": "true" });
    legend.append(el("li", {}, swatch, `${t(STAGES[name])} `, el("b", {}, duration(spent))));
  }
  const summary = el("summary", {}, bar, el("span", {}, t("Answered in"), " ", el("b", {}, duration(ms))));
  return el("details", { class: "timing", open }, summary, legend);
}
