// Names and numbers of the API in plain words; `t` says them in the page's language.

import { t } from "./language.js";

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
  shortlist: "time was short, so the best by rules only",
  not_personal: "nothing of the shopper was used",
};

// Where there was nothing to rank by.
export const UNRANKED = {
  sorted: "In the order that was asked for",
  no_match: "Nothing answers the query",
};

// Where the service speaks to a developer, the page speaks to its reader.
export const PROBLEMS = {
  unauthenticated: "this API key is not known: enter another one at the top",
};

export const EVENTS = {
  click: "Click",
  add_to_cart: "Add to cart",
};

// Of suggestions.
export const KINDS = {
  query: "search",
  category: "category",
  brand: "brand",
  item: "product",
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
  looked_at_lately: "Looked at lately",
  price: "Price",
  rule: "The shop's rules",
  other: "Other",
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
  return t(PARTS[name] ?? name.replaceAll("_", " "));
}

const SHELVES = {
  for_you: "Recommended for you",
  popular: "Popular in the shop",
};

const BECAUSE = {
  bought: "Because you bought {title}",
  cart: "Because you put {title} into the cart",
  viewed: "Because you looked at {title}",
};

/** What stands above a shelf; a key that has no words stands there itself. Of no page: for the shopper. */
export function shelfTitle({ title = "for_you", because }) {
  return because ? t(BECAUSE[because.kind], { title: because.title }) : t(SHELVES[title] ?? title);
}
