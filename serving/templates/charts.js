// Charts by hand: each is an image with a title and a description; figures stand beside it as text.
const HUES = ["#0d5f5b", "#5b6cc4", "#c98410", "#b8496b", "#3a8fb7", "#7a9a3a", "#8a5fb0", "#a0673c", "#4f9d93", "#7c8594"];

let drawn = 0;

function chart(width, height, title, about, ...parts) {
  const id = `chart-${(drawn += 1)}`;
  return s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id}-t ${id}-d` },
    s("title", { id: `${id}-t` }, title),
    s("desc", { id: `${id}-d` }, about),
    ...parts,
  );
}

// A scale from numbers to places; logarithmic where all are positive and far apart.
function scale(numbers, from, to, logarithmic) {
  const positive = numbers.filter((n) => n > 0);
  const log = logarithmic && positive.length > 0;
  const low = log ? least(positive) : Math.min(0, least(numbers));
  const high = most(numbers);
  const a = log ? Math.log(low) : low;
  const b = log ? Math.log(high) : high;
  const pad = log ? (b - a) * 0.06 || 0.5 : 0;
  const place = (n) => {
    const at = ((log ? Math.log(Math.max(n, low)) : n) - a + pad) / (b - a + 2 * pad || 1);
    return from + Math.min(1, Math.max(0, at)) * (to - from);
  };
  return { place, low, high, log };
}

function ticks({ low, high, log }, wanted) {
  if (log) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const step of [1, 2, 5]) {
        const at = step * 10 ** power;
        if (at >= low * 0.94 && at <= high * 1.06) found.push(at);
      }
    }
    const every = Math.ceil(found.length / wanted);
    return found.filter((_, at) => at % every === 0);
  }
  const rough = (high - low) / wanted || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(at);
  return found;
}

// P10 to P90 as a bar, P50 as a tick, on a track that all rows of a figure share.
function interval_bar(ends, top) {
  const place = (n) => `${(100 * Math.min(1, Math.max(0, top.place(n)))).toFixed(1)}%`;
  const [low, mid, high] = ends;
  const bar = h("div", { class: "span", "aria-hidden": "true" });
  if (known(low) && known(high)) {
    const left = top.place(low), right = top.place(high);
    put(bar, h("i", { style: { left: place(low), width: `${(100 * Math.max(0, right - left)).toFixed(1)}%` } }));
  }
  put(bar, h("b", { style: { left: place(mid) } }));
  return bar;
}

// Where a price lies in what similar KOLs ask.
function price_place(kol) {
  if (!known(kol.price) || !known(kol.low) || !known(kol.high)) return null;
  return kol.price > kol.high * (1 + 1e-9) ? "above" : kol.price < kol.low * (1 - 1e-9) ? "below" : "within";
}

function price_band(kol) {
  const where = price_place(kol);
  if (!where) return null;
  const from = Math.min(kol.price, kol.low) * 0.9, to = Math.max(kol.price, kol.high) * 1.1;
  const place = (n) => `${((100 * (n - from)) / (to - from || 1)).toFixed(1)}%`;
  const width = `${((100 * (kol.high - kol.low)) / (to - from || 1)).toFixed(1)}%`;
  return h(
    "div",
    { class: `span band ${where}`, "aria-hidden": "true" },
    h("i", { style: { left: place(kol.low), width } }),
    h("b", { style: { left: place(kol.price) } }),
  );
}

function meter(share, kind = "") {
  return h("div", { class: `meter ${kind}`, "aria-hidden": "true" },
    h("i", { style: { width: `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(1)}%` } }));
}

function spark(points, title, about, colour = HUES[0]) {
  const width = 200, height = 44;
  const days = points.map(([day]) => Date.parse(day));
  const counts = points.map(([, n]) => n);
  const low = least(counts), high = most(counts);
  const x = (n) => 2 + ((n - days[0]) / (last(days) - days[0] || 1)) * (width - 6);
  const y = (n) => height - 5 - ((n - low) / (high - low || 1)) * (height - 12);
  const line = points.map(([, n], at) => `${at ? "L" : "M"}${x(days[at]).toFixed(1)} ${y(n).toFixed(1)}`).join("");
  return chart(
    width, height, title, about,
    s("path", { d: `${line}L${x(last(days)).toFixed(1)} ${height}L${x(days[0]).toFixed(1)} ${height}Z`, fill: colour, "fill-opacity": 0.09 }),
    s("path", { d: line, fill: "none", stroke: colour, "stroke-width": 1.75, "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" }),
    s("circle", { cx: x(last(days)), cy: y(last(counts)), r: 2.6, fill: colour }),
  );
}

// Parts of a whole: one bar and a legend with amounts.
function split_bar(parts, shown) {
  const whole = sum(parts.map((part) => part.amount)) || 1;
  const coloured = parts.map((part, at) => ({ ...part, colour: HUES[at % HUES.length] }));
  const wide = (part) => ({ "flex-grow": (part.amount / whole).toFixed(4), "flex-basis": "0", background: part.colour });
  return [
    h("div", { class: "split", "aria-hidden": "true" }, coloured.map((part) => h("i", { style: wide(part) }))),
    h("ul", { class: "legend" }, coloured.map((part) =>
      h("li", null, h("i", { style: { background: part.colour }, "aria-hidden": "true" }), span("key", bdi(part.name)),
        span("amount", shown(part.amount)), span("part", percent(part.amount / whole))))),
  ];
}

// Shares of an audience, with marks where the brand wants them.
function share_rows(mix, target, names, limit = 6) {
  const wanted = target || {};
  const keys = [...new Set([...Object.keys(mix), ...Object.keys(wanted)])];
  const size = (key) => Math.max(mix[key] || 0, wanted[key] || 0);
  keys.sort((a, b) => size(b) - size(a));
  const top = Math.max(0.01, most(keys.map((key) => Math.max(mix[key] || 0, wanted[key] || 0))));
  const wide = (n) => `${((100 * n) / top).toFixed(1)}%`;
  const shown = keys.slice(0, limit);
  // Ages go by age, all else by size.
  if (shown.every((key) => /^\d/.test(key))) shown.sort((a, b) => parseInt(a, 10) - parseInt(b, 10));
  return shown.map((key) =>
    h("div", { class: "share" },
      span("key", bdi(names(key))),
      h("span", { class: "track", "aria-hidden": "true" },
        h("i", { style: { width: wide(mix[key] || 0) } }),
        known(wanted[key]) && h("b", { style: { left: wide(wanted[key]) } })),
      span("val", percent(mix[key] || 0)),
      known(wanted[key]) && span("sr", t("brief.audience"), " ", percent(wanted[key]))));
}

function audience_name(dimension) {
  return (key) => {
    if (dimension === "region") return named("region", key);
    if (dimension === "interest") return named("vertical", key);
    return dimension === "age" ? key : word(dimension, key);
  };
}

// A note that follows the pointer; whoever uses no pointer reads the same in the table.
let hint = null;

function hinted(element, tell) {
  element.addEventListener("pointermove", (event) => {
    hint = hint || document.body.appendChild(h("div", { class: "hint", "aria-hidden": "true" }));
    fill(hint, tell());
    const wide = document.documentElement.clientWidth;
    const left = Math.min(event.pageX + 14, wide - hint.offsetWidth - 8);
    hint.style.setProperty("left", `${left}px`);
    hint.style.setProperty("top", `${event.pageY + 14}px`);
    hint.hidden = false;
  });
  element.addEventListener("pointerleave", () => {
    if (hint) hint.hidden = true;
  });
  return element;
}
