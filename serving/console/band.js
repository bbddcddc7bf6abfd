// A metric's lift by day with its band, as an SVG that is as wide as its place.

import { lift } from "./words.js";

const HEIGHT = 190;
const PAD = { top: 10, right: 62, bottom: 26, left: 52 };

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** days: {day, lift, low, high} by day; width in pixels. */
export function band(days, width, label) {
  const [bottom, top] = extent(days);
  const last = days.at(-1);
  const first = days[0];
  const alone = days.length < 2;
  const x = (day) =>
    PAD.left + (width - PAD.left - PAD.right) * (alone ? 0.5 : (day - first.day) / (last.day - first.day));
  const y = (value) => {
    const inside = Math.min(Math.max(value, bottom), top);
    return PAD.top + ((HEIGHT - PAD.top - PAD.bottom) * (top - inside)) / (top - bottom);
  };
  const at = (day, value) => `${x(day).toFixed(1)},${y(value).toFixed(1)}`;
  const there = days.map(({ day, high }) => at(day, high));
  const back = days.map(({ day, low }) => at(day, low)).reverse();
  const grid = ticks(bottom, top).flatMap((value) => [
    svg("line", { class: value === 0 ? "zero" : "grid", x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value) }),
    svg("text", { class: "tick", x: PAD.left - 8, y: y(value) + 4, "text-anchor": "end" }, axis(value)),
  ]);
  return svg("svg", { class: "band", role: "img", "aria-label": label, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` },
    ...grid,
    alone
      ? svg("line", { class: "whisker", x1: x(last.day), x2: x(last.day), y1: y(last.low), y2: y(last.high) })
      : svg("polygon", { class: "area", points: [...there, ...back].join(" ") }),
    svg("polyline", { class: "line", points: days.map((each) => at(each.day, each.lift)).join(" ") }),
    svg("circle", { class: "dot", cx: x(last.day), cy: y(last.lift), r: 3.5 }),
    svg("text", { class: "value", x: x(last.day) + 9, y: y(last.lift) + 4 }, lift(last.lift)),
    svg("text", { class: "tick", x: x(first.day), y: HEIGHT - 6, "text-anchor": alone ? "middle" : "start" }, `day ${first.day}`),
    ...(alone ? [] : [svg("text", { class: "tick", x: x(last.day), y: HEIGHT - 6, "text-anchor": "end" }, `day ${last.day}`)]),
  );
}

/** The first days know next to nothing: their bands may leave the picture, the later ones may not. */
function extent(days) {
  const later = days.slice(Math.floor(days.length / 4));
  const top = Math.max(0.01, ...later.map(({ high }) => high), ...days.map((each) => each.lift));
  const bottom = Math.min(-0.01, ...later.map(({ low }) => low), ...days.map((each) => each.lift));
  const room = (top - bottom) * 0.06;
  return [bottom - room, top + room];
}

function ticks(bottom, top) {
  const rough = (top - bottom) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= rough);
  const found = [];
  for (let n = Math.ceil(bottom / step); n * step <= top; n += 1) found.push(n * step);
  return found;
}

function axis(value) {
  const told = Number((100 * Math.abs(value)).toPrecision(2));
  if (told === 0) return "0";
  return `${value < 0 ? "−" : "+"}${told} %`;
}
