// Elements from data. Text is always a text node: a title from the catalogue is never markup.

/** An element with attributes and children; strings become text, null is left out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A bar filled to `fraction` (-1 to 1; below 0 it grows to the left). */
export function bar(fraction) {
  const fill = el("span", { class: fraction < 0 ? "fill below" : "fill" });
  fill.style.setProperty("--fraction", Math.min(Math.abs(fraction), 1));
  return el("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/** What only a screen reader says. */
export function hidden(text) {
  return el("span", { class: "hidden" }, text);
}

/** Milliseconds as people read them. */
export function duration(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
