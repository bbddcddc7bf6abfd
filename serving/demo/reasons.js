// Why an item stands where it stands, as one would tell a shopper: words, no scores.

const MOST = 3;

const count = (logged) => Math.round(Math.expm1(logged));
const times = (n) => (n === 1 ? "once" : n === 2 ? "twice" : `${n} times`);

// [when it is worth telling, words] of the match and its relevance; the first that holds is told. The
// columns are those of serving/search/relevance.py: shares of what was typed, by how rare its words are.
// A word that was read with other letters counts for less than one.
const MATCHES = [
  [(m, r) => r === 1, (q) => `has the number “${q}”`], // only an id or a code is so certain
  [(m) => m.exact_title === 1, (q) => `is called just “${q}”`],
  [(m) => m.title > 0.95, (q) => `matches “${q}” in its name`],
  [(m) => m.name > 0.95, (q) => `matches “${q}” in its name, brand or category`],
  [(m) => m.any_field > 0.95, (q) => `matches “${q}” in its description`],
  [(m) => m.all_words === 1 && m.title > 0.5, (q) => `has words like “${q}” in its name`],
  [(m) => m.all_words === 1, (q) => `has words like “${q}”`],
  [(m) => m.title > 0.4, (q) => `matches a part of “${q}” in its name`],
  [(m) => m.any_field > 0.4, (q) => `matches a part of “${q}”`],
  [(m) => m.cosine > 0.35, (q) => `is close to “${q}” in meaning`],
  [() => true, (q) => `is among what comes nearest to “${q}”`],
];
const FITS = 0.3; // share of the best matches that are of the item's category
const SURE = 0.5; // relevance from which the category of the best matches is that of the query

// What the shop's rules note (serving/ranking/slate/moves.py).
const RULES = [
  [/^pin at \d+: (.*)/, (why) => `the shop puts it here: ${why}`],
  [/^boost \+[^:]*: (.*)/, (why) => `the shop favours it: ${why}`],
  [/^boost -[^:]*: (.*)/, (why) => `the shop holds it back: ${why}`],
  [/^bury: (.*)/, (why) => `the shop holds it back: ${why}`],
  [/^fatigue [^:]*: shown (\d+) times/, (n) => `you saw it ${n} times and did not look closer`],
  [/^hidden by the shopper/, () => "you hid it"],
  [/^explore: /, () => "hardly anyone has seen it yet"],
];

// What a person can follow, the shopper's own first; of one topic only the first is told:
// [topic, feature, when it is worth telling, words]. The units are those of features/behavior/matrix.py:
// counts are log1p, shares are 0 to 1.
const OWN = [
  ["bought", "user_times_bought", (v) => count(v) > 0, (v) => `you bought it ${times(count(v))}`],
  ["due", "user_repeat_due", (v) => v > -0.3, () => "you may need it again about now"],
  ["seen", "session_recency_rank", (v) => v === 1, () => "you looked at it just now"],
  ["seen", "session_recency_rank", (v) => v > 0, () => "you looked at it in this visit"],
  ["seen", "user_recency_rank", (v) => v > 0, () => "you looked at it lately"],
  ["with", "session_companion", (v) => v > 0.001, () => "goes into one basket with what you look at"],
  ["with", "session_neighbor", (v) => v > 0.001, () => "goes with what you look at"],
];
const TASTE = [
  ["visit", "session_category_3", (v) => v > 0, () => "is the kind of thing you look at now"],
  ["with", "user_bought_companion", (v) => v > 0.001, () => "goes into one basket with what you buy"],
  ["taste", "user_category_3", (v) => v > 0.01, () => "is a kind of thing you often choose"],
  ["taste", "user_category_2", (v) => v > 0.02, () => "is from an aisle that you often visit"],
  ["with", "user_neighbor", (v) => v > 0.001, () => "others who chose as you did took it"],
  ["brand", "user_brand", (v) => v > 0.1, () => "is of a brand that you often choose"],
];
const OTHERS = [
  ["sold", "item_purchase_7d", (v) => count(v) >= 10, () => "many bought it lately"],
  ["trend", "item_trend_1d_7d", (v, all) => v > 0.5 && count(all.item_purchase_1d) > 1, () => "many more than usual buy it today"],
  ["sold", "item_purchase_30d", (v) => count(v) >= 10, () => "many bought it in the last weeks"],
  ["rate", "item_click_rate_7d", (v) => v > 0.15, () => "many who see it look closer"],
  ["new", "item_age_days", (v) => Math.expm1(v) < 14, () => "is new in the shop"],
];

const BECAUSE = {
  bought: (title) => `because you bought “${title}”`,
  cart: (title) => `because you put “${title}” into the cart`,
  viewed: (title) => `because you looked at “${title}”`,
};

/** At most three reasons from an item's `explanation`; query: what was searched for, "" = nothing. */
export function reasons({ relevance, match, features, rules, because }, query) {
  const asked = query && match;
  const told = [
    ...rules.map(byRule),
    asked ? MATCHES.find(([holds]) => holds(match, relevance))[1](query) : null,
    ...sentences(OWN, features).slice(0, 1),
    asked && relevance > SURE && match.affinity > FITS ? "is in the category that fits" : null,
    because ? BECAUSE[because.kind](because.title) : null,
    ...sentences([...OWN, ...TASTE], features),
    ...sentences(OTHERS, features),
  ];
  return [...new Set(told.filter(Boolean))].slice(0, MOST);
}

function byRule(note) {
  for (const [form, say] of RULES) {
    const match = form.exec(note);
    if (match) return say(match[1]);
  }
  return null;
}

function sentences(known, features) {
  const told = new Map();
  for (const [topic, name, worthTelling, say] of known) {
    const value = features[name];
    if (!told.has(topic) && value !== undefined && worthTelling(value, features)) told.set(topic, say(value));
  }
  return [...told.values()];
}
