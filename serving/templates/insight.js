// Charts about the whole list, whom the filters refused, and how all of it was made.
function insight_section() {
  return KOLS.length > 0 && section("insight", t("nav.insight"), null,
    h("div", { class: "grid two" }, h("div", { class: "card", id: "scatter" }), h("div", { class: "card", id: "reach" })),
    h("div", { id: "growth" }));
}

function show_insight() {
  const place = document.getElementById("scatter");
  if (!place) return;
  for (const [id, content] of [["scatter", scatter()], ["reach", reach()]]) {
    const card = document.getElementById(id);
    card.hidden = !content;
    fill(card, content);
  }
  fill(document.getElementById("growth"), growth_card());
  const there = document.querySelectorAll("#insight .card:not([hidden])").length > 0;
  for (const part of document.querySelectorAll("#insight, .bar a[href='#insight']")) part.hidden = !there;
}

const worth_of = (kol) => (known(kol.value) ? kol.value : mid(kol.views));

function scatter(wide = 600) {
  const points = KOLS.filter((kol) => kol.price > 0 && worth_of(kol) > 0);
  if (points.length < 2) return null;
  const valued = points.some((kol) => known(kol.value));
  const title = valued ? value_label() : t("col.views");
  const shown = (n) => (valued ? worth(n, CURRENCY) : count(n));
  const width = wide, height = 340, left = 58, bottom = 40;
  const x = scale(points.map((kol) => kol.price), left, width - 16, true);
  const y = scale(points.map(worth_of), height - bottom, 14, true);
  const inside = points.filter(planned);
  const about = t("chart.scatter.desc", { n: points.length, k: inside.length, value: inside_sentence(title) });
  const dot = (kol) => hinted(s("circle", {
    cx: x.place(kol.price).toFixed(1), cy: y.place(worth_of(kol)).toFixed(1), r: planned(kol) ? 6 : 4.5, class: "point",
    fill: planned(kol) ? HUES[0] : "#fff", stroke: planned(kol) ? "#fff" : "#98a1b0", "stroke-width": 1.5, style: { cursor: "pointer" }, on: { click: () => open_kol(kol) },
  }), () => [h("b", null, bdi(name_of(kol))), h("br"), `${money(kol.price, kol.currency)} · ${title} ${shown(worth_of(kol))}`]);
  return [
    h("h3", null, t("chart.scatter")), h("p", { class: "about" }, t(inside.length ? "chart.scatter.about" : "chart.scatter.list")),
    h("div", { class: "chart" }, chart(width, height, t("chart.scatter"), about,
      ticks(y, 6).map((n) => [
        s("line", { class: "rule", x1: left, x2: width - 8, y1: y.place(n), y2: y.place(n) }),
        s("text", { x: left - 9, y: y.place(n) + 4, "text-anchor": "end" }, shown(n)),
      ]),
      ticks(x, 6).map((n) => s("text", { x: x.place(n), y: height - 20, "text-anchor": "middle" }, brief_money(n, CURRENCY))),
      s("line", { class: "axis", x1: left, x2: width - 8, y1: height - bottom + 6, y2: height - bottom + 6 }),
      s("text", { x: width - 8, y: height - 2, "text-anchor": "end" }, `${t("chart.price")} →`),
      s("text", { x: 0, y: 4 }, `↑ ${title}`),
      average_line(inside, x, y),
      points.filter((kol) => !planned(kol)).map(dot), inside.map(dot))),
  ];
}

// All points at which a yuan brings as much as in the plan on average; straight, both axes being
// logarithmic, and cut off at the frame.
function average_line(inside, x, y) {
  if (!inside.length) return null;
  const each = sum(inside.map(worth_of)) / sum(inside.map((kol) => kol.price));
  const from = Math.max(x.low, y.low / each), to = Math.min(x.high, y.high / each);
  if (!(to > from)) return null;
  return s("line", {
    x1: x.place(from), y1: y.place(from * each), x2: x.place(to), y2: y.place(to * each),
    stroke: HUES[0], "stroke-opacity": 0.55, "stroke-width": 1.25, "stroke-dasharray": "4 4",
  });
}

// Whose audience the plan buys, or the list's where there is no plan.
function weighted() {
  const plan = plan_now();
  const members = feasible(plan) ? plan.chosen.map((member) => [KOLS[member.kol], member.reach]) : KOLS.map((kol) => [kol, null]);
  const by_reach = members.every(([, n]) => known(n));
  return members.map(([kol, n]) => [kol, by_reach ? n : mid(kol.views) || kol.followers || 1]);
}

function mixed(members, dim) {
  const told_by = members.filter(([kol]) => kol.audience && kol.audience[dim]);
  const whole = sum(told_by.map(([, weight]) => weight));
  const mix = {};
  for (const [kol, weight] of told_by) {
    for (const [key, share] of Object.entries(kol.audience[dim])) mix[key] = (mix[key] || 0) + (share * weight) / (whole || 1);
  }
  return mix;
}

function reach() {
  const target = DATA.brief.audience || {};
  const members = weighted();
  const dims = ["gender", "city_tier", "age", "region", "interest"].filter((dim) => members.some(([kol]) => kol.audience && kol.audience[dim]));
  return dims.length > 0 && [
    h("h3", null, t("chart.reach")),
    h("p", { class: "about" }, t(feasible(plan_now()) ? "chart.reach.about" : "chart.reach.list")),
    h("div", { class: "dims" }, dims.slice(0, 4).map((dim) => h("div", null, h("h4", null, t(`dim.${dim}`)),
      share_rows(mixed(members, dim), target[dim], audience_name(dim), 5)))),
  ];
}

function growth_card() {
  const plan = plan_now();
  const chosen_kols = feasible(plan) ? plan.chosen.map((member) => KOLS[member.kol]) : KOLS;
  const shown = chosen_kols.filter((kol) => kol.growth && kol.growth.followers).slice(0, 12);
  return shown.length > 0 && h("div", { class: "card", style: { "margin-top": "20px" } },
    h("h3", null, t("chart.growth")), h("p", { class: "about" }, t("chart.growth.about")),
    h("div", { class: "lines" }, shown.map((kol) => line_card(name_of(kol), kol.growth.followers, name_of(kol), HUES[0], avatar(kol, "tiny")))));
}

function method_section() {
  return section("method", t("nav.method"), null, h("div", { class: "grid two loose" },
    h("div", { class: "card" }, funnel()),
    h("div", { class: "stack" }, h("div", { class: "card" }, h("h3", null, t("method.title")), method()),
      h("details", { class: "card fold" }, h("summary", null, t("method.made")), made()))));
}

function funnel() {
  const rows = DATA.funnel.filter((row) => row.kols > 0 || row.code === "eligible");
  const whole = sum(rows.map((row) => row.kols));
  const top = Math.max(1, most(rows.map((row) => row.kols)));
  return [
    h("h3", null, t("funnel.title")), h("p", { class: "about" }, t("funnel.about", { n: plain(whole, 0) })),
    h("ul", { class: "funnel" }, rows.map((row) => h("li", { class: row.code === "eligible" ? "kept" : "" },
      h("span", null, either(row) || row.code),
      h("span", { class: "track", "aria-hidden": "true" }, h("i", { style: { width: `${((100 * row.kols) / top).toFixed(1)}%` } })),
      span("num", t("funnel.people", { n: plain(row.kols, 0) }))))),
  ];
}

function method() {
  const content = DATA.run.basis === "content";
  const keys = Object.keys(DATA.words.note).filter((key) => !content || !["fit", "interval", "accept", "roi"].includes(key));
  return h("ul", { class: "notes" }, keys.filter((key) => key !== "reach" || PLANS.length).map((key) => h("li", null, told("note", key))));
}

function made() {
  const names = ["id", "as_of", "created_at", "model_version", "trained_at", "stale", "model_hash", "encoder_id", "config_hash", "seed", "top", "data"];
  return h("dl", { class: "made" }, names.filter((name) => known(DATA.run[name])).map((name) =>
    [h("dt", null, t(`run.${name}`)), h("dd", null, DATA.run[name])]));
}
