// Names and numbers of the API in plain words.

export const ROUTES = {
  model: "Ranked by the model",
  cold_start: "Ranked by rules",
  fallback: "Ranked by rules",
};

export const REASONS = {
  new_shopper: "too little is known of this shopper",
  deadline: "the model was too slow this time",
  model_unavailable: "the model does not answer",
  model_overloaded: "the model has too much to do",
  bad_model_output: "the model gave scores that cannot be used",
  features_unavailable: "the feature store does not answer",
};

// Where the service speaks to a developer, the page speaks to its reader.
export const PROBLEMS = {
  unauthenticated: "this API key is not known: enter another one at the top",
};

export const EVENTS = {
  click: "Click",
  add_to_cart: "Add to cart",
};

const PARTS = {
  query: "Match with the query (BERT)",
  network: "Network",
  forest: "Trees",
  popularity: "Popular",
  popularity_in_category: "Popular in its category",
  trend: "Trend",
  newness: "New",
  query_match: "Words of the query",
  session_intent: "This visit",
  similar_shoppers: "Similar shoppers",
  taste: "Taste",
  bought_before: "Bought before",
  retrieval: "Retrieval",
};

export const STAGES = {
  validate: "validate",
  wait: "wait for a turn",
  retrieve: "retrieve",
  features: "features",
  batch_wait: "wait for batch",
  model: "model",
  hop: "to the ranker and back",
  rules: "rules",
  slate: "slate",
  rest: "rest of the server",
  network: "network and browser",
};

export function part(name) {
  return PARTS[name] ?? name.replaceAll("_", " ");
}

const percent = (share) => `${Math.round(100 * share)} %`;
const count = (logged) => Math.round(Math.expm1(logged));
const times = (n) => (n === 1 ? "once" : `${n} times`);
const days = (n) => (n < 1 ? "today" : n < 1.5 ? "a day ago" : `${Math.round(n)} days ago`);

// What a person can follow, the shopper's own first; of one topic only the first is told:
// [topic, feature, when it is worth telling, words]. The units are those of features/behavior/matrix.py:
// counts are log1p, shares are 0 to 1.
const SENTENCES = [
  ["now", "session_recency_rank", (v) => v === 1, () => "the last thing looked at in this visit"],
  ["now", "session_recency_rank", (v) => v > 0, () => "looked at in this visit"],
  ["bought", "user_times_bought", (v) => count(v) > 0, (v) => `this shopper bought it ${times(count(v))}`],
  ["last", "user_days_since_bought", () => true, (v) => `last bought ${days(Math.expm1(v))}`],
  ["due", "user_repeat_due", (v) => v > -0.3, () => "by this shopper's rhythm it is due again"],
  ["visit", "session_category_3", (v) => v > 0, (v) => `${percent(v)} of this visit is about this kind`],
  ["visit", "session_category_2", (v) => v > 0, (v) => `${percent(v)} of this visit is about this aisle`],
  ["visit", "session_category_1", (v) => v > 0, (v) => `${percent(v)} of this visit is about this department`],
  ["with", "session_neighbor", (v) => v > 0.001, () => "goes with what this visit is about"],
  ["with", "session_companion", (v) => v > 0.001, () => "goes into one basket with what this visit is about"],
  ["lately", "user_recency_rank", (v) => v > 0, () => "this shopper looked at it lately"],
  ["taste", "user_category_3", (v) => v > 0.01, (v) => `${percent(v)} of this shopper's interest is in this kind`],
  ["taste", "user_category_2", (v) => v > 0.01, (v) => `${percent(v)} of this shopper's interest is in this aisle`],
  ["taste", "user_category_1", (v) => v > 0.01, (v) => `${percent(v)} of this shopper's interest is in this department`],
  ["brand", "user_brand", (v) => v > 0.01, (v) => `${percent(v)} of this shopper's interest is in this brand`],
  ["others", "user_bought_companion", (v) => v > 0.001, () => "goes into one basket with what this shopper buys"],
  ["others", "user_neighbor", (v) => v > 0.001, () => "taken by others who took what this shopper took"],
  ["sold", "item_purchase_7d", (v) => count(v) > 0, (v) => `bought about ${times(count(v))} in the last week or so`],
  ["sold", "item_purchase_30d", (v) => count(v) > 0, (v) => `bought about ${times(count(v))} in the last month or so`],
  ["trend", "item_trend_1d_7d", (v) => v > 0.5, () => "asked for more today than in the week"],
  ["trend", "item_trend_7d_30d", (v) => v > 0.3, () => "asked for more this week than in the month"],
  ["rate", "item_click_rate_7d", (v) => v > 0.06, (v) => `${percent(v)} of those who saw it this week looked closer`],
  ["returned", "item_return_rate_120d", (v) => v > 0.15, (v) => `${percent(v)} of its buyers sent it back`],
  ["new", "item_age_days", (v) => Math.expm1(v) < 14, () => "new in the shop"],
];

/** At most `limit` sentences about the features that the ranker saw. */
export function sentences(features, limit = 5) {
  const told = new Map();
  for (const [topic, name, worthTelling, say] of SENTENCES) {
    const value = features[name];
    if (told.size < limit && !told.has(topic) && value !== undefined && worthTelling(value)) {
      told.set(topic, say(value));
    }
  }
  return [...told.values()];
}
