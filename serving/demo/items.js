// Titles and prices. The ranking API answers with ids only, as a shop has its own catalogue; this
// shop has none, so it reads the replica's.

export class Items {
  #api;
  #known = new Map();

  constructor(api) {
    this.#api = api;
  }

  /** Make sure that `itemIds` are here, as far as the catalogue has them. */
  async load(itemIds, signal) {
    const missing = [...new Set(itemIds)].filter((itemId) => !this.#known.has(itemId));
    for (let start = 0; start < missing.length; start += 50) {
      const part = missing.slice(start, start + 50);
      const query = new URLSearchParams(part.map((itemId) => ["ids", itemId]));
      const { body } = await this.#api.call("GET", `demo/items?${query}`, null, signal);
      for (const item of body.items) this.#known.set(item.item_id, item);
    }
  }

  /** The item, or a stand-in with its id as the title. */
  get(itemId) {
    return this.#known.get(itemId) ?? { item_id: itemId, title: itemId, brand: "", category: "", price: null };
  }
}

/** The price as the reader's locale writes it; "" when there is none. */
export function money(price, currency) {
  if (price === null || price === undefined) return "";
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(price);
  } catch {
    return price.toFixed(2); // no currency, or one that nobody knows
  }
}
