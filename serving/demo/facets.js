// What a search can be narrowed by: categories, brands, prices, each with how many are left.

import { el } from "./dom.js";
import { money } from "./items.js";
import { t } from "./language.js";

const MOST = 8; // values of one row
const MOST_LEVELS = 3;
const LEADS = 0.4; // a category that has so much of what was found shows what is in it

/** Rows of buttons for an answer; `onChange` gets other filters. A pressed button takes its filter away. */
export function facets({ facets: counts, prices, total }, filters, currency, onChange) {
  const { category, brand } = filters;
  const within = (path) => onChange({ ...filters, category: path });
  const brands = Object.entries(counts?.brand ?? {}).filter(([, n]) => n < total); // what all have narrows nothing
  return [
    ...categories(counts?.category ?? {}, category, total, within),
    group(t("Brand"), [
      brand ? chip("brand", brand, brand, null, true, () => onChange({ ...filters, brand: undefined })) : null,
      ...(brand ? [] : brands.slice(0, MOST)).map(([name, n]) =>
        chip("brand", name, name, n, false, () => onChange({ ...filters, brand: name })),
      ),
    ]),
    group(t("Price"), price(prices, filters, prices?.currency ?? currency, onChange)),
  ].filter(Boolean);
}

/** The path that is chosen, a button a level, and below it the levels that narrow. */
function categories(counts, chosen, total, within) {
  const path = chosen ? chosen.split(" > ") : [];
  const steps = path.map((name, depth) => {
    const above = path.slice(0, depth).join(" > ") || undefined;
    return chip("category", path.slice(0, depth + 1).join(" > "), name, null, true, () => within(above));
  });
  const rows = [];
  let at = chosen ?? "";
  while (rows.length < MOST_LEVELS) {
    const inside = children(counts, at);
    if (!inside.length) break;
    const [leading, most] = inside[0];
    if (most < total || inside.length > 1) {
      const label = rows.length || path.length ? t("In {category}", { category: leaf(at) }) : t("Category");
      rows.push(group(label, inside.slice(0, MOST).map(([name, n]) =>
        chip("category", name, leaf(name), n, false, () => within(name)))));
    }
    if (most < LEADS * total) break;
    at = leading;
  }
  return [group(t("Category"), steps), ...rows];
}

/** The categories one level below `path`, most frequent first. */
function children(counts, path) {
  const depth = path ? path.split(" > ").length + 1 : 1;
  const begin = path ? `${path} > ` : "";
  return Object.entries(counts).filter(([name]) => name.startsWith(begin) && name.split(" > ").length === depth);
}

function leaf(path) {
  return path.split(" > ").at(-1);
}

/** A step at the mean price, and two fields for any other range. */
function price(prices, filters, currency, onChange) {
  const { min_price: least, max_price: most } = filters;
  const to = (range) => onChange({ ...filters, min_price: undefined, max_price: undefined, ...range });
  const buttons = [];
  if (least !== undefined || most !== undefined) {
    buttons.push(chip("price", "chosen", words(least, most, currency), null, true, () => to({})));
  } else if (prices && prices.min < prices.max) {
    const { mean } = prices;
    buttons.push(chip("price", "up", words(undefined, mean, currency), null, false, () => to({ max_price: mean })));
    buttons.push(chip("price", "from", words(mean, undefined, currency), null, false, () => to({ min_price: mean })));
  }
  if (!buttons.length) return [];
  const field = (name, label, value, hint) => {
    const input = el("input", {
      type: "number", min: 0, step: "any", "data-facet": `price:${name}`, "aria-label": label, value, placeholder: hint,
    });
    input.addEventListener("change", () => {
      const given = input.valueAsNumber;
      to({ min_price: least, max_price: most, [name]: given >= 0 ? given : undefined });
    });
    return input;
  };
  return [
    ...buttons,
    el(
      "span", { class: "range" },
      field("min_price", t("Lowest price"), least, prices?.min), t(" to "), field("max_price", t("Highest price"), most, prices?.max),
    ),
  ];
}

function words(least, most, currency) {
  if (least === undefined) return t("up to {most}", { most: money(most, currency) });
  const range = { least: money(least, currency), most: money(most, currency) };
  return most === undefined ? t("{least} or more", range) : t("{least} to {most}", range);
}

function chip(facet, value, label, n, pressed, onClick) {
  const button = el(
    "button", {
      type: "button", class: "chip", "aria-pressed": String(pressed), "data-facet": `${facet}:${value}`,
      title: facet === "price" ? null : value,
    },
    el("span", {}, label),
    n === null ? null : el("span", { class: "n" }, String(n)),
  );
  button.addEventListener("click", onClick);
  return button;
}

function group(label, content) {
  const shown = content.filter(Boolean);
  return shown.length
    ? el(
        "div", { class: "facet", role: "group", "aria-label": label },
        el("span", { class: "label" }, label),
        el("div", { class: "values" }, ...shown),
      )
    : null;
}
