// The page's language. Its words are written in English, where they are used; other languages are tables.

import { ZH } from "./zh.js";

const TABLES = { en: {}, zh: ZH };
const asked = new URLSearchParams(location.hash.slice(1)).get("lang");

/** "en" or "zh": what the address says, else what the browser prefers. */
export const language = asked in TABLES ? asked : preferred();

/** `text` in the page's language, `{name}` of it filled from `values`. */
export function t(text, values = {}) {
  return (TABLES[language][text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** `one` or `many`, by `n`; `{n}` is the number as the language writes it. */
export function counted(n, one, many) {
  return t(n === 1 ? one : many, { n: n.toLocaleString(language) });
}

/** Translate what stands in the document: text, and the attributes that data-t names. */
export function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) {
    for (const name of element.dataset.t.split(" ").filter(Boolean)) element.setAttribute(name, t(element.getAttribute(name)));
    if (!element.dataset.t) {
      const [text] = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
      text.data = text.data.replace(text.data.trim(), t(text.data.trim()));
    }
  }
}

function preferred() {
  const first = navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => tag in TABLES);
  return first ?? "en";
}
