// The side panel: what the ranker reads of the shopper, for those who keep the shop.

import { bar, el } from "./dom.js";
import { counted, language, t } from "./language.js";

export const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * The panel's content for a UserFeatures document; `titles` gives an item's title. `told`: what the shopper
 * cares for stands above already.
 */
export function known(features, titles, told) {
  if (!features.known) {
    return [el("p", { class: "quiet" }, t("Nothing yet. This shopper is new; one click changes that."))];
  }
  return [
    el("dl", { class: "numbers" }, ...numbers(features)),
    ...(told ? [] : block("Interest by category", shares(leaves(features.categories)))),
    ...(told ? [] : block("Interest by brand", shares(Object.entries(features.brands).slice(0, 5)))),
    ...block("Latest items", lines(features.recent_items.slice(0, 6).map(titles))),
    ...block("Bought most", lines(features.bought_items.slice(0, 5).map(titles))),
    ...block("Searched for", lines(features.queries.slice(0, 5))),
  ];
}

function numbers(features) {
  const counts = Object.entries(features.counts).filter(([kind]) => kind !== "impression");
  const entries = [
    ["Interactions", features.interactions.toLocaleString(language)],
    ...counts.map(([kind, n]) => [kind.replaceAll("_", " "), n.toLocaleString(language)]),
    ["typical price", features.typical_price?.toFixed(2)],
    ["last event", features.age_s === null ? undefined : ago(features.age_s)],
  ];
  return entries
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => el("div", {}, el("dt", {}, t(name)), el("dd", {}, value)));
}

/** The deepest categories only: their parents say the same again. */
function leaves(categories) {
  const names = Object.keys(categories);
  // Every level counts the same events, so shares are of the outermost level.
  const outermost = names.filter((name) => !name.includes(" > "));
  const whole = outermost.reduce((sum, name) => sum + categories[name], 0) || 1;
  return Object.entries(categories)
    .filter(([name]) => !names.some((other) => other.startsWith(`${name} > `)))
    .slice(0, 6)
    .map(([name, share]) => [name.split(" > ").at(-1), share / whole, name]);
}

function shares(entries) {
  const top = Math.max(1e-6, ...entries.map(([, share]) => share));
  const rows = entries
    .filter(([, share]) => share > 0)
    .map(([name, share, path]) =>
      el("li", { title: path ?? name }, el("span", {}, name), bar(share / top), el("b", {}, percent(share))),
    );
  return rows.length ? el("ul", { class: "parts" }, ...rows) : null;
}

function lines(texts) {
  return texts.length ? el("ol", { class: "lines" }, ...texts.map((text) => el("li", {}, text))) : null;
}

export function block(title, content) {
  return content ? [el("h3", {}, t(title)), content] : [];
}

/** How long ago something was, in words. */
export function ago(seconds) {
  if (seconds < 90) return counted(Math.max(0, Math.round(seconds)), "{n} s ago", "{n} s ago");
  if (seconds < 5400) return counted(Math.round(seconds / 60), "{n} min ago", "{n} min ago");
  if (seconds < 172_800) return counted(Math.round(seconds / 3600), "{n} h ago", "{n} h ago");
  return counted(Math.round(seconds / 86_400), "{n} day ago", "{n} days ago");
}
