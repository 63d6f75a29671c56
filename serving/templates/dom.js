// Elements out of names and text. Nothing here makes markup from text.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

// h("p", {class: "x", on: {click: f}, style: {width: "4px"}, "aria-label": "…"}, "text", child)
function h(name, given, ...children) {
  return built(document.createElement(name), given, children);
}

function s(name, given, ...children) {
  return built(document.createElementNS(SVG, name), given, children);
}

function built(element, given, children) {
  for (const [key, value] of Object.entries(given || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [kind, act] of Object.entries(value)) element.addEventListener(kind, act);
    } else if (key === "style") {
      for (const [rule, told] of Object.entries(value)) element.style.setProperty(rule, told);
    } else if (key === "value" || key === "checked" || key === "disabled") {
      element[key] = value;
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  put(element, children);
  return element;
}

function put(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function fill(element, ...children) {
  element.replaceChildren();
  put(element, children);
  return element;
}

const span = (kind, ...children) => h("span", { class: kind }, ...children);
// What somebody wrote may run from right to left: it must not turn what stands around it.
const bdi = (text) => h("bdi", null, text);
const holds = (object, key) => Object.prototype.hasOwnProperty.call(object, key);
const last = (list) => list[list.length - 1];
const known = (value) => value !== null && value !== undefined;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const most = (numbers) => numbers.reduce((top, number) => Math.max(top, number), -Infinity);
const least = (numbers) => numbers.reduce((low, number) => Math.min(low, number), Infinity);

function median(numbers) {
  const sorted = numbers.filter(known).sort((a, b) => a - b);
  if (!sorted.length) return null;
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const ICONS = {
  print: ["M4 6V2h8v4", "M4 12H2V6h12v6h-2", "M4 10h8v4H4z"],
  check: ["M3 8.5l3.2 3.2L13 5"],
  close: ["M3.5 3.5l9 9", "M12.5 3.5l-9 9"],
  next: ["M6 3l5 5-5 5"],
  previous: ["M10 3L5 8l5 5"],
};

function icon(name) {
  const drawn = { viewBox: "0 0 16 16", fill: "none", stroke: "currentColor", "stroke-width": 1.5 };
  return s("svg", { ...drawn, "aria-hidden": "true" }, ICONS[name].map((d) => s("path", { d })));
}

function mark() {
  const rings = [[8.5, "#0d5f5b"], [15.5, "#67b3ab"]];
  return s(
    "svg",
    { viewBox: "0 0 24 24", "aria-hidden": "true" },
    rings.map(([cx, stroke]) =>
      s("circle", { cx, cy: 12, r: 6.5, fill: "none", stroke, "stroke-width": 3 })),
  );
}
