// Words and numbers in the reader's language, which the address remembers (#lang=en).
const LANGUAGES = { zh: ["中文", "zh-CN"], en: ["EN", "en"] };
const SIGNS = { CNY: "¥", USD: "$", EUR: "€", GBP: "£", JPY: "JP¥", HKD: "HK$", KRW: "₩", SGD: "S$", THB: "฿", VND: "₫" };
const UNITS = {
  zh: [[1e8, "亿"], [1e4, "万"]],
  en: [[1e9, "bn"], [1e6, "M"], [1e3, "k"]],
};
const NONE = "–";
let language = asked() || DATA.language;

function asked() {
  const found = /(?:^#|&)lang=(zh|en)\b/.exec(location.hash);
  return found ? found[1] : null;
}

function choose(wanted) {
  language = wanted;
  try {
    history.replaceState(null, "", `#lang=${wanted}`);
  } catch {
    location.hash = `lang=${wanted}`;
  }
}

// A label by its key, {names} in it filled in; what is filled in may be an element (`rich`).
function t(key, values) {
  const text = told("label", key);
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => values[name]) : text;
}

function rich(key, values) {
  return told("label", key).split(/\{(\w+)\}/).map((part, at) => (at % 2 ? values[part] : part));
}

function told(group, code) {
  const words = DATA.words[group];
  const text = holds(words, code) ? words[code] : null;
  return text ? text[language] : code;
}

const word = (group, code) => (known(code) ? told(group, code) : NONE);

// A region or vertical by its code, or as somebody wrote it.
function named(group, code) {
  const names = (DATA.names || {})[group] || {};
  return holds(names, code) ? names[code][language] : code;
}

// Words that come in both languages, or in one.
const either = (text) => (text ? text[language] || text.zh || text.en || null : null);
const all = (text) => (text ? [text[language] || text.zh || text.en || []].flat() : []);

function plain(number, digits) {
  const shown = { maximumFractionDigits: digits, minimumFractionDigits: 0 };
  return number.toLocaleString("en-US", shown);
}

function count(number) {
  if (!known(number)) return NONE;
  const size = Math.abs(number);
  for (const [unit, name] of UNITS[language]) {
    const scaled = number / unit;
    if (size >= unit * 0.9995) return plain(scaled, Math.abs(scaled) < 100 ? 1 : 0) + name;
  }
  return plain(number, size < 10 && size % 1 ? 1 : 0);
}

const sign = (currency) =>
  !currency ? "" : holds(SIGNS, currency) ? SIGNS[currency] : `${currency} `;

function money(number, currency) {
  if (!known(number)) return NONE;
  const minus = number < 0 ? "−" : "";
  const size = Math.abs(number);
  const digits = size % 1 === 0 || size >= 100 ? 0 : size < 10 ? 2 : 1;
  return minus + sign(currency) + size.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function brief_money(number, currency) {
  if (!known(number)) return NONE;
  const short = Math.abs(number) >= (language === "zh" ? 1e5 : 1e4);
  return short ? (number < 0 ? "−" : "") + sign(currency) + count(Math.abs(number)) : money(number, currency);
}

function percent(share, digits = 0) {
  return known(share) ? `${plain(share * 100, digits)}%` : NONE;
}

// A chance is never rounded up: 100% would be a promise.
function chance(share) {
  return known(share) ? percent(Math.floor(share * 100 + 1e-9) / 100) : NONE;
}

function signed(share) {
  if (!known(share)) return NONE;
  const rounded = Math.round(share * 100);
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${plain(Math.abs(rounded), 0)}%`;
}

// A label within a sentence: English writes it small there.
const inside_sentence = (label) => (language === "en" ? label.charAt(0).toLowerCase() + label.slice(1) : label);

const range = (low, high) => (known(low) && known(high) ? t("range", { low, high }) : NONE);

function rate(share) {
  return known(share) ? percent(share, share < 0.1 ? 2 : 1) : NONE;
}

// The unit of the brief's goal.
const goal = () => (DATA.brief || {}).goal;
const has = (key) => holds(DATA.words.label, key);
const value_label = () => (has(`value.${goal()}`) ? t(`value.${goal()}`) : t("value"));
const value_short = () => (has(`value.short.${goal()}`) ? t(`value.short.${goal()}`) : t("value.short"));
function worth(number, currency, of = goal()) {
  return of === "conversion" ? brief_money(number, currency) : count(number);
}

function bar_top(back, links) {
  const tools = h(
    "div",
    { class: "tools" },
    h(
      "div",
      { class: "segment", role: "group", "aria-label": t("action.language") },
      Object.entries(LANGUAGES).map(([code, [name, tag]]) =>
        h("button", {
          type: "button", lang: tag, id: `lang-${code}`, "aria-pressed": String(code === language),
          on: { click: () => switch_to(code) },
        }, name)),
    ),
    back && h("button", { type: "button", class: "button", id: "print-button", "aria-label": t("action.print"), on: { click: () => window.print() } },
      icon("print"), span("words", t("action.print"))),
  );
  return h(
    "header",
    { class: links ? "bar" : "bar alone" },
    h(
      "div",
      { class: "wrap" },
      h("span", { class: "mark" }, mark(), h("span", null, "kolmatch")),
      back && h("a", { class: "back", href: `${back}#lang=${language}` }, "← ", t("nav.index")),
      links && h("nav", { "aria-label": t("nav.sections") }, links),
      tools,
    ),
  );
}

function switch_to(code) {
  choose(code);
  const from = document.activeElement ? document.activeElement.id : "";
  render();
  const again = from && document.getElementById(from);
  if (again) again.focus();
}

function speak() {
  document.documentElement.lang = LANGUAGES[language][1];
  fill(document.getElementById("skip"), t("nav.skip"));
}

function model_told(run) {
  if (!known(run.model_version)) return t("model.none");
  const age = known(run.model_days) ? ` · ${t("model.age", { days: plain(run.model_days, 0) })}` : "";
  return t("model", { version: run.model_version }) + age;
}

function stale(run) {
  if (!known(run.stale)) return null;
  const time = known(run.trained_at) ? run.trained_at : t("unknown");
  const days = known(run.model_days) ? plain(run.model_days, 0) : "?";
  return h("p", { class: "notice", role: "alert" }, t("model.stale", { version: run.model_version, time, days }));
}
