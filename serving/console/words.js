// Names and numbers of the API in plain words.

export const KINDS = { ab: "A/B", shadow: "shadow", interleave: "interleaved" };

// Where the service speaks to a developer, the page speaks to its reader.
export const PROBLEMS = {
  unauthenticated: "this API key is not known: enter another one at the top",
  forbidden: "this key may not look here: it needs the scope admin",
};

// What a verdict's word is shown as: a class of console.css.
export const TONES = {
  better: "good",
  worse: "bad",
  "guard rail broken": "bad",
  "do not read": "bad",
  "cannot be read": "open",
  open: "open",
};

const ROUTES = { rank: "candidates of the shop's own", search: "searches", recommend: "recommendations" };

export function count(n) {
  return n === null || n === undefined ? "–" : Math.round(n).toLocaleString("en");
}

/** .053 as 5.3 %. */
export function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`;
}

/** The same with its sign, for what is relative. */
export function lift(share) {
  if (share === null || share === undefined) return "–";
  const told = (100 * Math.abs(share)).toFixed(Math.abs(share) < 0.0995 ? 1 : 0);
  return `${share < 0 ? "−" : "+"}${told} %`;
}

export function range(low, high) {
  return low === null || low === undefined || high === null ? "cannot be said" : `${lift(low)} to ${lift(high)}`;
}

/** How long ago a time is, in milliseconds of now. */
export function ago(time, nowMs) {
  const minutes = Math.max(0, Math.round((nowMs - time.getTime()) / 60_000));
  if (minutes < 1) return "just now";
  if (minutes < 90) return `${minutes} min ago`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}

/** Whom an experiment is for, in a sentence. */
export function meant(experiment) {
  const { targeting, coverage, kind } = experiment;
  const whom = kind === "shadow" ? "of the requests" : "of the shoppers";
  const parts = [
    targeting.shoppers && `${targeting.shoppers} ones`,
    targeting.requests.length && `in ${targeting.requests.map((name) => ROUTES[name]).join(", ")}`,
    targeting.locales.length && `in ${targeting.locales.join(", ")}`,
    targeting.pages.length && `on ${targeting.pages.join(", ")}`,
    targeting.shops.length && `of ${targeting.shops.join(", ")}`,
  ].filter(Boolean);
  const line = experiment.namespace;
  const shared = line ? `; ${line.range.join(" to ")} of the namespace ${line.id}` : "";
  return `${percent(coverage, 0)} ${[whom, ...parts].join(", ")}${shared}`;
}

/** What an arm does otherwise. */
export function differs(arm) {
  const rules = Object.keys(arm.rules).map((name) => name.replaceAll("_", " "));
  const parts = [
    arm.model_version && `version ${arm.model_version} of the ranker`,
    rules.length && `rules: ${rules.join(", ")}`,
  ].filter(Boolean);
  return parts.join("; ") || "as the shop's rules say";
}
