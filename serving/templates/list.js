// The list: sorted, filtered and searched on the page; a row opens the KOL.
const FIGURE = {
  rank: (kol) => kol.rank, kol: (kol) => name_of(kol), fit: (kol) => kol.fit, price: (kol) => kol.price,
  views: (kol) => mid(kol.views), value: (kol) => kol.value, cpm: (kol) => mid(kol.cpm), cpe: (kol) => kol.cpe,
  roi: (kol) => mid(kol.roi), accept: (kol) => kol.accept, risk: (kol) => kol.risk,
};
const RISES = new Set(["rank", "kol", "price", "cpm", "cpe", "risk"]);  // what is best when low
const COLUMNS = ["rank", "kol", "fit", "price", "views", "value", "cpm", "cpe", "roi", "accept", "risk"]
  .filter((key) => ["rank", "kol", "price", "risk"].includes(key) || KOLS.some((kol) => known(FIGURE[key](kol))))
  .filter((key) => key !== "value" || !["awareness"].includes(goal()));  // there it is the views
const filters = { search: "", platform: "", tier: "", mode: "", risk: "", planned: false, min: "", max: "" };
let order = { key: "rank", rising: true };
const picked = new Set();

const label = (key) => (key === "value" ? value_short() : t(`col.${key}`));

function text_of(kol) {
  const words = [kol.name, kol.id, kol.bio, kol.mcn, word("platform", kol.platform), ...all(kol.reasons)];
  words.push(...(kol.verticals || []).map((code) => named("vertical", code)));
  return words.filter(Boolean).join("\n").toLowerCase();
}

function passes(kol) {
  const found = filters.search.toLowerCase().split(/\s+/).filter(Boolean);
  const text = found.length ? text_of(kol) : "";
  return found.every((piece) => text.includes(piece))
    && (!filters.platform || kol.platform === filters.platform)
    && (!filters.tier || kol.tier === filters.tier)
    && (!filters.mode || kol.mode === filters.mode || (kol.options || []).some((option) => option.mode === filters.mode))
    && (!filters.risk || (known(kol.risk) && kol.risk < DATA.levels[filters.risk === "low" ? 0 : 1]))
    && (!filters.planned || Boolean(planned(kol)))
    && (filters.min === "" || kol.price >= Number(filters.min))
    && (filters.max === "" || kol.price <= Number(filters.max));
}

// Unknown figures come last whichever way; of equals, the better rank first.
function listed() {
  const figure = FIGURE[order.key];
  return KOLS.filter(passes).sort((a, b) => {
    const [x, y] = [figure(a), figure(b)];
    if (!known(x) || !known(y)) return Number(!known(x)) - Number(!known(y)) || a.rank - b.rank;
    const way = typeof x === "string" ? x.localeCompare(y, language) : x - y;
    return (order.rising ? way : -way) || a.rank - b.rank;
  });
}

function list_section() {
  if (!KOLS.length) {
    return section("matches", t("list.title"), null, h("div", { class: "card empty" }, t("list.nobody")));
  }
  return section("matches", t("list.title"), t("list.about"),
    h("div", { class: "card list" }, filter_bar(),
      h("table", { class: "table", role: "table" },
        h("caption", { class: "sr" }, t("list.caption")),
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
          h("td", { role: "cell" }, span("sr", t("list.compare"))),
          COLUMNS.map(head), PLANS.length > 0 && h("th", { scope: "col", role: "columnheader" }, t("col.plan")))),
        h("tbody", { id: "rows", role: "rowgroup" })),
      h("p", { class: "empty", id: "none", hidden: true }, t("list.none"))));
}

const WORDY = ["rank", "kol", "risk", "views"];
const HIDDEN = ["cpe", "accept"];

function head(key) {
  const kind = `${WORDY.includes(key) ? "" : "num"} ${HIDDEN.includes(key) ? "hide-mid" : ""}`;
  return h("th", { class: kind, scope: "col", role: "columnheader", "data-key": key, "aria-sort": sort_word(key) },
    h("button", { type: "button", id: `sort-${key}`, on: { click: () => sort_by(key) } }, key === "rank" ? "#" : label(key),
      key === "rank" && span("sr", label(key)),
      s("svg", { class: "arrow", viewBox: "0 0 8 10", "aria-hidden": "true" }, s("path", { d: "M4 10L0 4.5h8z", fill: "currentColor" }))));
}

const sort_word = (key) => (key !== order.key ? "none" : order.rising ? "ascending" : "descending");

function sort_by(key, rising) {
  const turned = key === order.key ? !order.rising : RISES.has(key);
  order = { key, rising: known(rising) ? rising : turned };
  for (const cell of document.querySelectorAll("th[data-key]")) cell.setAttribute("aria-sort", sort_word(cell.dataset.key));
  const select = document.getElementById("sort-select");
  if (select) select.value = key;
  show_rows();
}

function filter_bar() {
  const change = (name, read = (input) => input.value) => (event) => {
    filters[name] = read(event.target);
    show_rows();
  };
  const select = (name, codes, shown, first = t(`col.${name}`)) => codes.length > 0 && h("select", {
    class: "field", id: `filter-${name}`, "aria-label": first, on: { change: change(name) },
  }, h("option", { value: "" }, `${first}: ${t("list.all")}`), codes.map((code) => chosen(h("option", { value: code }, shown(code)), filters[name] === code)));
  const codes = (group, found) => Object.keys(DATA.words[group]).filter((code) => found.includes(code));
  const modes_found = KOLS.flatMap((kol) => [kol.mode, ...(kol.options || []).map((option) => option.mode)]);
  const price = (name) => h("input", {
    class: "field price", type: "number", min: 0, inputmode: "numeric", id: `filter-${name}`, "aria-label": t(`list.${name}`),
    placeholder: t(`list.${name}`), value: filters[name], on: { input: change(name) },
  });
  return h("div", { class: "filters", role: "search", "aria-label": t("list.title") },
    h("input", {
      class: "field search", type: "search", id: "search", "aria-label": t("list.search.label"), placeholder: t("list.search"),
      value: filters.search, on: { input: change("search") },
    }),
    select("platform", codes("platform", KOLS.map((kol) => kol.platform)), (code) => word("platform", code)),
    select("tier", codes("tier", KOLS.map((kol) => kol.tier)), (code) => word("tier", code)),
    select("mode", codes("mode", modes_found), (code) => word("mode", code)),
    select("risk", ["low", "medium"], (code) => t(`risk.upto.${code}`)),
    h("span", { class: "pair" }, price("min"), "–", price("max")),
    PLANS.length > 0 && h("label", { class: "check" },
      h("input", { type: "checkbox", id: "filter-planned", checked: filters.planned, on: { change: change("planned", (input) => input.checked) } }), t("list.planned")),
    h("select", { class: "field only-narrow", id: "sort-select", "aria-label": t("list.sort"), on: { change: (event) => sort_by(event.target.value, RISES.has(event.target.value)) } },
      COLUMNS.map((key) => chosen(h("option", { value: key }, `${t("list.sort")}: ${label(key)}`), key === order.key))),
    h("button", { type: "button", class: "link", id: "reset", hidden: true, on: { click: reset } }, t("action.reset")),
    h("span", { class: "count", id: "count", role: "status" }));
}

function chosen(option, is) {
  option.selected = is;
  return option;
}

const filtered = () => Object.values(filters).some((value) => value !== "" && value !== false);

function reset() {
  for (const [name, value] of Object.entries(filters)) filters[name] = typeof value === "boolean" ? false : "";
  for (const field of document.querySelectorAll(".filters [id^=filter-], #search")) {
    if (field.type === "checkbox") field.checked = false;
    else field.value = "";
  }
  show_rows();
  document.getElementById("search").focus();
}

function show_rows() {
  const body = document.getElementById("rows");
  if (!body) return;
  const rows = listed();
  fill(body, rows.map(row));
  document.getElementById("none").hidden = rows.length > 0;
  document.getElementById("reset").hidden = !filtered();
  fill(document.getElementById("count"), rows.length === KOLS.length ? t("list.count", { n: KOLS.length }) : t("list.count.of", { n: rows.length, all: KOLS.length }));
  show_tray();
}

function row(kol) {
  const is_in = planned(kol);
  const kinds = `${is_in ? "in" : ""} ${picked.has(kol) ? "picked" : ""}`;
  return h("tr", { class: kinds, role: "row", "data-rank": kol.rank, on: { click: (event) => { if (!event.target.closest("input, button, a")) open_kol(kol); } } },
    h("td", { class: "pick bare", role: "cell" }, h("input", {
      type: "checkbox", id: `pick-${kol.rank}`, checked: picked.has(kol), "aria-label": t("list.compare.pick", { name: name_of(kol) }),
      on: { change: (event) => pick(kol, event.target.checked) },
    })),
    COLUMNS.map((key) => h("td", { class: cell_kind(key), role: "cell", "data-label": label(key) }, cell(key, kol))),
    PLANS.length > 0 && h("td", { class: "bare plan-cell", role: "cell" }, is_in && h("span", { class: "check-mark" }, icon("check"), span("sr", t("plan.in")))));
}

function cell_kind(key) {
  if (key === "rank") return "rank rank-cell";
  if (key === "kol") return "wide bare";
  if (key === "views") return "views-cell";
  return `${WORDY.includes(key) ? "" : "num"} ${HIDDEN.includes(key) ? "hide-mid" : ""}`;
}

function cell(key, kol) {
  if (key === "rank") return kol.rank;
  if (key === "kol") return who(kol, true);
  if (key === "fit") return known(kol.fit) ? h("span", { class: "gauge" }, meter(kol.fit), h("b", null, chance(kol.fit))) : NONE;
  if (key === "price") return [span("strong", money(kol.price, kol.currency)), kol.mode && span("sub", word("mode", kol.mode))];
  if (key === "views") {
    return kol.views ? [span("strong", count(mid(kol.views))), " ", span("muted small nowrap", range(count(kol.views[0]), count(kol.views[2]))), interval_bar(kol.views, views_scale)] : NONE;
  }
  if (key === "value") return worth(kol.value, kol.currency);
  if (key === "cpm") return brief_money(mid(kol.cpm), kol.currency);
  if (key === "cpe") return money(kol.cpe, kol.currency);
  if (key === "roi") return signed(mid(kol.roi));
  return key === "accept" ? chance(kol.accept) : risk_tag(kol.risk);
}

// Two may be picked; a third takes the place of the first.
function pick(kol, is) {
  if (is && picked.size === 2) picked.delete(picked.values().next().value);
  if (is) picked.add(kol);
  else picked.delete(kol);
  const from = document.activeElement && document.activeElement.id;
  show_rows();
  const again = from && document.getElementById(from);
  if (again) again.focus();
}

function show_tray() {
  const tray = document.getElementById("tray");
  const [a, b] = [...picked];
  tray.hidden = !a;
  fill(tray, a && [
    span("names", b ? rich("compare.ready", { a: bdi(name_of(a)), b: bdi(name_of(b)) }) : t("compare.hint")),
    h("button", { type: "button", class: "button primary", id: "compare", disabled: !b, on: { click: () => open_versus(a, b) } }, t("compare.go")),
    h("button", { type: "button", class: "button ghost", id: "compare-clear", on: { click: () => { picked.clear(); show_rows(); } } }, t("compare.clear")),
  ]);
}
