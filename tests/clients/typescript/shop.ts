// Every endpoint, called by openapi-fetch with the types that openapi-typescript made of the
// stack's own document. In a copy of this folder:
//
//     npm ci
//     curl -s http://127.0.0.1:8000/openapi.json > openapi.json
//     npm run generate && npm run build && node built/shop.js http://127.0.0.1:8000 dev
//
// Each request is printed. What was written is taken away again.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

const [url, key] = process.argv.slice(2);
assert(url && key, "shop.js URL KEY");
const patienceMs = 30_000;

const told: Middleware = {
  onRequest({ request }) {
    console.log(request.method, new URL(request.url).pathname);
  },
};
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });
client.use(told);

/** The data of an answer that went well. */
function of<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert(answer.data !== undefined, `${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** What it answers in the end: what was just written counts soon after. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    assert(Date.now() < deadline, "not in time");
    await new Promise((done) => setTimeout(done, 200));
  }
}

async function operations(): Promise<void> {
  assert.equal(of(await client.GET("/")).openapi, "/openapi.json");
  assert.equal(of(await client.GET("/healthz")).status, "ok");
  assert.equal(of(await client.GET("/readyz")).model, true);
  const metrics = of(await client.GET("/metrics", { parseAs: "text" }));
  assert.match(metrics, /^vitrine_requests_total\{/m);
  const status = of(await client.GET("/v1/status"));
  assert(status.model_answers && status.catalog_items > 2);
  assert.equal(of(await client.GET("/v1/experiments")).holdout, 0);
  const params = { path: { key: "nothing" } };
  const { error } = await client.GET("/v1/experiments/{key}", { params });
  assert.equal(error?.code, "unknown_experiment");
  const body = { action: "stop" as const };
  const decided = await client.POST("/v1/experiments/{key}/decision", { params, body });
  assert.equal(decided.error?.code, "unknown_experiment");
  const reading = await client.GET("/v1/experiments/{key}/reading", { params });
  assert.equal(reading.error?.code, "unknown_experiment");
  const { placements, pages } = of(await client.GET("/v1/placements"));
  assert.deepEqual(pages.map(({ page }) => page), ["home"]);
  assert(placements.every(({ kpi }) => kpi.events.length));
  const ofPage = { path: { name: "home" } };
  const page = of(await client.POST("/v1/pages/{name}", { params: ofPage, body: {} }));
  assert.deepEqual(page.shelves.map(({ placement }) => placement).slice(0, 1), ["for_you"]);
  const told = of(await client.GET("/v1/transparency", { params: {} }));
  assert(typeof told === "object"); // as HTML it would be a string
  assert.deepEqual([told.model_version, told.sponsored_rules], [status.model_version, 0]);
  const versions = of(await client.GET("/v1/versions"));
  assert.deepEqual([versions.in_use, versions.candidates], [status.model_version, []]);
}

async function texts(): Promise<void> {
  const query = "something to drink";
  const documents = ["garden hose, 20 m", "fresh whole milk"];
  for (const path of ["/rerank", "/v2/rerank"] as const) {
    const answer = of(await client.POST(path, { body: { query, documents, top_n: 1 } }));
    assert("results" in answer);
    assert.deepEqual(answer.results.map((result) => result.index), [1]);
  }
  const scores = of(await client.POST("/v1/rerank", { body: { query, texts: documents } }));
  assert(Array.isArray(scores));
  const [best, other] = scores;
  assert(best && other && best.score > 2 * other.score);
  assert.equal(best.index, 1);
}

async function answers(): Promise<void> {
  const answer: Schemas["AnswerIn"] = {
    answer_id: "gift",
    title: "Can you wrap it as a gift?",
    text: "Yes, in the cart.",
    language: "en",
  };
  const put = of(await client.PUT("/v1/answers", { body: { answers: [answer] } }));
  assert.deepEqual(put, { accepted: 1, rejected: [] });
  const params = { path: { answer_id: "gift" } };
  const { answer_id, ...fields } = { ...answer, questions: ["Do you do gift wrapping?"] };
  const kept = of(await client.PUT("/v1/answers/{answer_id}", { params, body: fields }));
  assert.deepEqual(kept, { answer_id, ...fields });
  assert.deepEqual(of(await client.GET("/v1/answers/{answer_id}", { params })), kept);
  const query = { limit: 1 };
  const page = of(await client.GET("/v1/answers", { params: { query } }));
  assert.deepEqual(page.answers, [kept]);

  const question = "do you do gift wrapping";
  const told = await until(async () => {
    const ranked = of(await client.POST("/v1/answers/rank", { body: { question } }));
    return ranked.answers.length > 0 ? ranked : undefined;
  });
  assert.equal(told.answers[0]?.answer_id, "gift");
  assert.equal(told.hand_over, false);
  const event = { session_id: "s2", query: question, answer_id, ranking_id: told.ranking_id };
  const body: Schemas["EventsRequest"] = {
    events: [{ ...event, event_id: randomUUID(), type: "helpful" }],
  };
  assert.equal(of(await client.POST("/v1/events", { body })).accepted, 1);
  const { response } = await client.DELETE("/v1/answers/{answer_id}", { params });
  assert.equal(response.status, 204);
}

async function labels(): Promise<void> {
  const even: Schemas["Classifier"] = {
    labels: ["down", "up"],
    profile: "english",
    weights: Buffer.alloc(385 * 2 * 4).toString("base64"),
    measured: {
      accuracy: 0.9, low: 0.8, high: 0.95, majority: 0.5, texts: 100, calibration_error: 0.02,
    },
    learnt_from: 100,
    trained_at: "2026-11-30T09:00:00Z",
  };
  const params = { path: { name: "mood" } };
  const put = of(await client.PUT("/v1/classifiers/{name}", { params, body: even }));
  assert.deepEqual([put.name, put.labels, put.unsure_below], ["mood", ["down", "up"], 0.6]);

  // Another replica than the one that was told follows within two seconds.
  const kept = await until(
    async () => (await client.GET("/v1/classifiers/{name}", { params })).data,
  );
  assert.equal(kept.weights, even.weights);
  const { classifiers } = of(await client.GET("/v1/classifiers"));
  assert.deepEqual(classifiers.map(({ name }) => name), ["mood"]);

  const asked = { classifier: "mood", texts: ["works as told", " "] };
  const found = of(await client.POST("/v1/classify", { body: asked })).labels;
  assert.deepEqual(found.map(({ label, unsure }) => [label, unsure]), [["down", true], [null, true]]);
  const stream = { classifier: "mood", texts: [{ text: "works as told" }] };
  const counted = of(await client.POST("/v1/texts", { body: stream }));
  assert.deepEqual([counted.counted, counted.labels, counted.unsure], [1, {}, 1]);
  assert.deepEqual(of(await client.GET("/v1/alerts")).alerts, []);
  const { response } = await client.DELETE("/v1/classifiers/{name}", { params });
  assert.equal(response.status, 204);
}

async function experiment(): Promise<void> {
  const body: Schemas["Experiment"] = {
    key: "mixed",
    arms: [{ key: "control" }, { key: "mixed", rules: { diversity: { max_same: 2 } } }],
    coverage: 0.1,
    guard: null,
  };
  const params = { path: { key: body.key } };
  const put = of(await client.PUT("/v1/experiments/{key}", { params, body }));
  assert.deepEqual([put.key, put.status, put.active, put.guard], ["mixed", "draft", false, null]);

  // Another replica than the one that was told follows within a second.
  const told = await until(
    async () => (await client.GET("/v1/experiments/{key}", { params })).data,
  );
  assert.equal(told.by_api?.by, "admin");
  assert.deepEqual(told.arms.map(({ rules }) => rules), [{}, { diversity: { max_same: 2 } }]);
  const { response } = await client.DELETE("/v1/experiments/{key}", { params });
  assert.equal(response.status, 204);
}

async function shops(): Promise<void> {
  const params = { path: { name: "annex" } };
  const body: Schemas["ShopDefinition"] = { title: "The annex", rules: { pins: [] }, weight: 2 };
  const put = of(await client.PUT("/v1/shops/{name}", { params, body }));
  assert.deepEqual([put.name, put.status, put.definition?.weight], ["annex", "active", 2]);
  const ofKey = { path: { name: "annex", key_name: "server" } };
  const made = of(
    await client.PUT("/v1/shops/{name}/keys/{key_name}", {
      params: ofKey,
      body: { scopes: ["rank"] },
    }),
  );
  const headers = { authorization: `Bearer ${made.key}` };
  const own = createClient<paths>({ baseUrl: String(url), headers });
  const status = await until(async () => (await own.GET("/v1/status")).data);
  assert.equal(status.catalog_items, 0);
  assert.equal((await own.GET("/v1/shops")).error?.code, "forbidden");
  const told = of(await client.GET("/v1/shops/{name}", { params }));
  assert.deepEqual(told.keys.map(({ name }) => name), ["server"]);
  const gone = await client.DELETE("/v1/shops/{name}/keys/{key_name}", { params: ofKey });
  assert.equal(gone.response.status, 204);
  assert.equal(of(await client.DELETE("/v1/shops/{name}", { params })).accepted, 1);
  const listed = of(await client.GET("/v1/shops")).shops;
  assert.equal(listed.find(({ name }) => name === "annex")?.status, "removing");
}

async function catalogue(): Promise<void> {
  const tea: Schemas["ItemIn"] = {
    item_id: "tea",
    title: "Green tea",
    category: "Grocery > Drinks > Tea",
    brand: "Hillside",
    price: 4.5,
    attributes: { size: "20 bags" },
  };
  const tooOld = { ...tea, item_id: "old-tea", created_at: "1970-01-01T00:00:00Z" };
  const put = of(await client.PUT("/v1/items", { body: { items: [tea, tooOld] } }));
  assert.equal(put.accepted, 1);
  assert.deepEqual(put.rejected.map(({ index, code }) => [index, code]), [[1, "invalid_item"]]);

  const line = JSON.stringify({ item_id: "cup", title: "Tea cup", price: 7 });
  const imported = await client.POST("/v1/items/import", {
    body: `${line}\n`,
    bodySerializer: (lines) => lines,
    headers: { "content-type": "application/x-ndjson" },
  });
  assert.deepEqual(of(imported), { accepted: 1, rejected: 0, errors: [] });

  const changes = { items: [{ item_id: "tea", price: 4 }, { item_id: "cup", available: false }] };
  assert.equal(of(await client.PATCH("/v1/items", { body: changes })).accepted, 2);

  const params = { path: { item_id: "tea" } };
  const changed = of(await client.PATCH("/v1/items/{item_id}", { params, body: { brand: null } }));
  assert.equal(changed.brand, "");
  const kept = of(await client.GET("/v1/items/{item_id}", { params }));
  assert.deepEqual(
    [kept.title, kept.price, kept.brand, kept.attributes],
    ["Green tea", 4, "", { size: "20 bags" }],
  );

  const page = of(await client.GET("/v1/items", { params: { query: { limit: 1 } } }));
  assert(page.cursor);
  const query = { limit: 1, cursor: page.cursor };
  const following = of(await client.GET("/v1/items", { params: { query } }));
  assert(page.items[0] && following.items[0]);
  assert(following.items[0].item_id > page.items[0].item_id);
}

async function shopper(): Promise<void> {
  const at = new Date().toISOString();
  const event = { at, user_id: "bea", session_id: "s2", item_id: "tea" };
  const body: Schemas["EventsRequest"] = {
    events: [
      { ...event, event_id: randomUUID(), type: "click" },
      { ...event, event_id: randomUUID(), type: "purchase", value: 4 },
    ],
  };
  const taken = of(await client.POST("/v1/events", { body }));
  assert.deepEqual(taken, { accepted: 2, duplicates: 0, rejected: [] });
  assert.equal(of(await client.POST("/v1/events", { body })).duplicates, 2);

  const past = { ...event, user_id: "dora", event_id: randomUUID(), type: "purchase", value: 4 };
  const moved = await client.POST("/v1/events/import", {
    body: `${JSON.stringify({ ...past, at: "2019-03-01T10:00:00Z" })}\n`,
    bodySerializer: (lines) => lines,
    headers: { "content-type": "application/x-ndjson" },
  });
  assert.equal(of(moved).accepted, 1);

  const params = { path: { user_id: "bea" } };
  const merge = { params, body: { session_id: "s2" } };
  assert.equal(of(await client.POST("/v1/users/{user_id}/merge", merge)).accepted, 1);

  const bea = await until(async () => {
    const features = of(await client.GET("/v1/users/{user_id}/features", { params }));
    return features.interactions === 2 ? features : undefined;
  });
  assert.deepEqual(bea.bought_items, ["tea"]);
  assert.deepEqual(bea.counts, { click: 1, purchase: 1 });
}

async function rankings(): Promise<void> {
  const offered = { user_id: "bea", candidates: ["tea", { item_id: "cup", retrieval_score: 7.1 }] };
  const ranked = await until(async () => {
    const { items } = of(await client.POST("/v1/rank", { body: offered }));
    return items.length === 1 ? items : undefined; // the other one is sold out
  });
  assert.deepEqual(ranked.map((item) => item.item_id), ["tea"]);

  const asked: Schemas["SearchRequest"] = {
    query: "green tea",
    facets: ["brand", "price"],
    filters: { category: "Grocery > Drinks" },
    user_context: "for a rainy afternoon, budget 5",
  };
  const found = await until(async () => {
    const answer = of(await client.POST("/v1/search", { body: asked }));
    return answer.items.length > 0 ? answer : undefined;
  });
  assert.equal(found.items[0]?.item_id, "tea");
  assert((found.items[0]?.relevance ?? 0) > 0.5);
  assert.equal(found.prices?.min, 4);
  assert.equal(found.understood?.wishes[0]?.max_price, 5);
  assert.equal(found.understood?.not_used[0]?.words, "for a rainy afternoon");

  const body = { user_id: "bea", limit: 2 };
  const recommended = of(await client.POST("/v1/recommend", { body })).items;
  assert.deepEqual(recommended.map((item) => item.position), [1, 2]);
  const brands = of(await client.POST("/v1/recommend/brands", { body })).values;
  assert.equal(brands.length, 2);
  const levelled = { body: { ...body, level: 2 } };
  const categories = of(await client.POST("/v1/recommend/categories", levelled)).values;
  assert.equal(categories[0]?.value, "Grocery > Drinks");

  const params = { path: { item_id: "tea" }, query: { limit: 2 } };
  const alike = of(await client.GET("/v1/items/{item_id}/similar", { params })).items;
  assert.equal(alike.length, 2);
  assert(alike.every((item) => item.item_id !== "tea"));

  const image = { path: { item_id: "tea" } };
  const body_of_image = { image: "iVBORw0KGgo=" };
  const off = [
    await client.GET("/v1/items/{item_id}/image", { params: image }),
    await client.PUT("/v1/items/{item_id}/image", { params: image, body: body_of_image }),
    await client.DELETE("/v1/items/{item_id}/image", { params: image }),
  ];
  assert(off.every(({ error }) => error?.code === "pictures_off"));

  await until(async () => {
    const query = { q: "green te" };
    const { suggestions } = of(await client.GET("/v1/suggest", { params: { query } }));
    return suggestions.find((suggestion) => suggestion.text === "Green tea");
  });
}

async function rights(): Promise<void> {
  const user = { path: { user_id: "gil" } };
  const session = { path: { session_id: "s9" } };
  for (const personal of [false, true]) {
    const body = { personal };
    const put = await client.PUT("/v1/users/{user_id}/preferences", { params: user, body });
    assert.equal(of(put).profiling, personal);
    const kept = await client.GET("/v1/users/{user_id}/preferences", { params: user });
    assert.equal(of(kept).personal, personal);
    const its = await client.PUT("/v1/sessions/{session_id}/preferences", { params: session, body });
    assert.equal(of(its).frozen, false);
    const told = await client.GET("/v1/sessions/{session_id}/preferences", { params: session });
    assert.equal(of(told).personal, personal);
  }
}

async function copy(): Promise<void> {
  const params = { path: { user_id: "gil" } };
  const lines = await client.GET("/v1/users/{user_id}/export", { params, parseAs: "text" });
  assert.match(of(lines), /"kind":"end"/);
}

async function farewell(): Promise<void> {
  for (const user_id of ["bea", "dora"]) {
    const user = { params: { path: { user_id } } };
    const { receipt } = of(await client.DELETE("/v1/users/{user_id}", user));
    const params = { path: { receipt }, query: { user_id } };
    assert.equal(of(await client.GET("/v1/erasures/{receipt}", { params })).of_user, true);
  }
  const looked = of(await client.GET("/v1/audit"));
  assert.equal(looked.entries.at(-1)?.access, "erased");
  for (const item_id of ["tea", "cup"]) {
    const gone = await client.DELETE("/v1/items/{item_id}", { params: { path: { item_id } } });
    assert.equal(gone.response.status, 204);
  }
  const params = { path: { item_id: "tea" } };
  const { error, response } = await client.GET("/v1/items/{item_id}", { params });
  assert.equal(response.status, 404);
  assert.equal(error?.code, "unknown_item");
}

await operations();
await texts();
await labels();
await experiment();
await answers();
await shops();
await rights();
await copy();
try {
  await catalogue();
  await shopper();
  await rankings();
} finally {
  await farewell();
}
