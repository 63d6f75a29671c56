// One KOL: who, what they cost and would bring, why, at what risk. The drawer and the comparison.
const KOLS = DATA.kols;
const CURRENCY = DATA.brief.currency || (KOLS.find((kol) => kol.currency) || {}).currency;
const mid = (ends) => (ends ? ends[1] : null);
const name_of = (kol) => kol.name || kol.id;
const all_views = KOLS.flatMap((kol) => kol.views || []).filter(known);
const views_scale = all_views.length ? scale(all_views, 0, 1, true) : null;

function initial(name) {
  return (/[\p{L}\p{N}]/u.exec(name) || ["·"])[0].toUpperCase();
}

function avatar(kol, size = "") {
  return h("span", {
    class: `avatar ${size}`, "aria-hidden": "true",
    style: { background: `hsl(${kol.hue} 42% 91%)`, color: `hsl(${kol.hue} 48% 27%)` },
  }, initial(name_of(kol)));
}

function risk_level(risk) {
  if (!known(risk)) return null;
  const [low, medium] = DATA.levels;
  return risk < low ? "low" : risk < medium ? "medium" : "high";
}

function risk_tag(risk, short = false) {
  const level = risk_level(risk);
  if (!level) return span("muted", NONE);
  return h("span", { class: `tag ${level}` }, h("i", { class: "dot", "aria-hidden": "true" }),
    short ? span("sr", t(`risk.${level}`)) : t(`risk.${level}`), " ", percent(risk));
}

function where(kol, key = "kol.followers") {
  const parts = [kol.platform && word("platform", kol.platform), kol.tier && word("tier", kol.tier)];
  if (known(kol.followers)) parts.push(t(key, { n: count(kol.followers) }));
  return parts.filter(Boolean).join(" · ");
}

function stage_tag(kol) {
  const kind = { rising: "good", declining: "warn" }[kol.stage] || "";
  return kol.stage && h("span", { class: `tag ${kind}` }, word("stage", kol.stage));
}

function growth_of(points) {
  return points && points[0][1] > 0 ? last(points)[1] / points[0][1] - 1 : null;
}

function detail(kol, level = "h2") {
  const sub = level === "h2" ? "h3" : "h4";
  return h(
    "article",
    { class: "kol" },
    h("div", { class: "who" }, avatar(kol, "large"),
      h("div", null, h(level, { id: level === "h2" ? "drawer-name" : null, tabindex: level === "h2" ? "-1" : null }, bdi(name_of(kol))),
        h("p", { class: "muted" }, where(kol)), tags(kol))),
    kol.bio && h("p", { class: "bio" }, bdi(kol.bio)),
    tiles(kol),
    part(sub, "kol.reasons", null, reasons(kol)),
    part(sub, "kol.forecast", t("kol.forecast.about"), forecast(kol)),
    part(sub, "kol.modes", null, modes(kol)),
    (kol.risks || known(kol.risk)) && part(sub, "kol.risks", null, risks(kol)),
    part(sub, "kol.posts", null, posts(kol)),
    part(sub, "kol.growth", null, growth(kol)),
    part(sub, "kol.audience", (DATA.brief.audience ? t("kol.audience.target") : null), audience(kol)),
    part(sub, "kol.precedents", null, precedents(kol)),
    part(sub, "kol.successors", t("kol.successors.about"), successors(kol)),
  );
}

function part(level, key, about, content) {
  if (!content || (Array.isArray(content) && !content.length)) return null;
  return h("section", null, h(level, null, t(key), about && h("small", null, about)), content);
}

function tags(kol) {
  const told_tags = [
    stage_tag(kol),
    planned(kol) && h("span", { class: "tag brand" }, t("plan.in")),
    kol.explored && h("span", { class: "tag", title: t("kol.explored.about", { share: percent(kol.chance, 1) }) }, t("kol.explored")),
    kol.mcn && h("span", { class: "tag" }, bdi(t("kol.mcn", { name: kol.mcn }))),
    kol.region && h("span", { class: "tag" }, bdi(named("region", kol.region))),
    known(kol.active) && h("span", { class: "tag" }, t("kol.active", { share: percent(kol.active) })),
    kol.suspicious >= 0.1 && h("span", { class: "tag warn" }, t("kol.suspicious", { share: percent(kol.suspicious) })),
    ...(kol.verticals || []).slice(0, 3).map((code) => h("span", { class: "tag" }, bdi(named("vertical", code)))),
  ];
  return h("div", { class: "tags" }, told_tags);
}

function tiles(kol) {
  const place = price_place(kol);
  const usual = place && [h("small", null, t(`kol.price.${place}`)), price_band(kol)];
  const made = [
    [t("col.price"), money(kol.price, kol.currency), [kol.mode && h("small", null, word("mode", kol.mode)), usual]],
    [t("col.fit"), chance(kol.fit), null],
    [t("col.accept"), chance(kol.accept), null],
    [t("col.risk"), percent(kol.risk), known(kol.risk) && h("small", null, t(`risk.${risk_level(kol.risk)}`))],
    [value_label(), worth(kol.value, kol.currency), null],
    [t("col.cpm"), brief_money(mid(kol.cpm), kol.currency), kol.cpm && h("small", null, range(brief_money(kol.cpm[0], kol.currency), brief_money(kol.cpm[2], kol.currency)))],
    [t("col.cpe"), money(kol.cpe, kol.currency), null],
    [t("col.roi"), signed(mid(kol.roi)), kol.roi && h("small", null, range(signed(kol.roi[0]), signed(kol.roi[2])))],
  ];
  return h("dl", { class: "tiles" }, made.map(([head, figure, below]) =>
    h("div", null, h("dt", null, head), h("dd", null, figure, below))));
}

function reasons(kol) {
  const why = all(kol.reasons);
  const caution = either(kol.caution);
  if (!why.length && !caution) return null;
  return [
    why.length > 0 && h("ol", { class: "why" }, why.map((reason) => h("li", null, bdi(reason)))),
    caution && h("p", { class: "caution" }, h("b", null, t("kol.caution")), bdi(caution)),
  ];
}

function forecast(kol) {
  const money_of = (n) => brief_money(n, kol.currency);
  const rows = [["views", count], ["engagements", count], ["orders", count], ["gmv", money_of]]
    .filter(([name]) => kol[name])
    .map(([name, shown]) => {
      const ends = kol[name];
      const low = known(ends[0]) ? ends[0] : ends[1], high = known(ends[2]) ? ends[2] : ends[1];
      const own = scale([low > 0 ? low * 0.6 : 0, high * 1.25], 0, 1, false);
      return h("div", { class: "range" }, h("span", null, t(`f.${name}`)), span("mid", shown(ends[1])),
        interval_bar(ends, own), span("ends", range(shown(ends[0]), shown(ends[2]))));
    });
  const told_rates = [
    ["f.median_views", known(kol.median_views) ? count(kol.median_views) : null],
    ["f.er", kol.er, rate], ["f.ctr", kol.ctr, rate], ["f.cvr", kol.cvr, rate],
    ["f.refunds", kol.refunds, rate], ["f.clicks", kol.clicks, count],
    ["col.cpa", kol.cpa, (n) => money(n, kol.currency)],
  ].filter(([, figure]) => known(figure));
  if (!rows.length && !told_rates.length) return null;
  return [
    rows.length > 0 && h("div", { class: "ranges" }, rows),
    h("p", { class: "rates" }, told_rates.map(([key, figure, shown]) =>
      h("span", null, t(key), h("b", null, shown ? shown(figure) : figure)))),
  ];
}

function modes(kol) {
  if (!kol.options) return null;
  const sorted = [...kol.options].sort((a, b) => Number(b.recommended) - Number(a.recommended));
  const heads = [["col.mode"], ["col.price", "num"], ["f.views", "num"], ["value", "num"], ["col.cpm", "num"], ["col.roi", "num"]];
  return h("div", { class: "scroll options", tabindex: "0", role: "region", "aria-label": t("kol.modes") },
    h("table", { class: "table" },
      h("thead", null, h("tr", null, heads.map(([key, kind]) => h("th", { class: kind, scope: "col" }, key === "value" ? value_short() : t(key))))),
      h("tbody", null, sorted.map((option) => h("tr", null,
        h("td", { class: option.recommended ? "on" : "" }, span("strong", word("mode", option.mode)),
          option.recommended && [" ", h("span", { class: "tag brand" }, t("kol.recommended"))],
          option.signed > 0 && span("sub", t("kol.signed", { n: option.signed })),
          either(option.why) && h("p", { class: "small muted" }, either(option.why))),
        h("td", { class: "num" }, money(option.price, option.currency)),
        h("td", { class: "num" }, count(mid(option.views))),
        h("td", { class: "num" }, worth(option.value, option.currency)),
        h("td", { class: "num" }, brief_money(mid(option.cpm), option.currency)),
        h("td", { class: "num" }, signed(mid(option.roi))))))));
}

function risks(kol) {
  if (!kol.risks) return h("p", { class: "muted" }, t("kol.risks.none"));
  return kol.risks.map((risk, at) => {
    const advice = holds(DATA.advice, risk.kind) ? DATA.advice[risk.kind] : {};
    const level = risk_level(risk.score);
    const lines = [
      ["kol.evidence", all(risk.evidence).length > 0 && h("ul", null, all(risk.evidence).map((line) => h("li", null, bdi(line))))],
      ["kol.response", advice.response && h("p", null, either(advice.response))],
      ["kol.clause", advice.clause && h("p", { class: "clause" }, either(advice.clause))],
    ];
    return h("details", { class: "risk", "data-kind": risk.kind, open: at === 0 && risk_level(kol.risk) === "high" },
      h("summary", null, h("span", { class: `tag ${level}` }, t(`risk.${level}`)),
        span("label", advice.label ? either(advice.label) : risk.kind),
        meter(risk.score, level), span("score", percent(risk.score))),
      h("div", { class: "body" }, lines.filter(([, body]) => body).map(([key, body]) =>
        h("div", null, h("h4", null, t(key)), body))));
  });
}

function posts(kol) {
  const figures = ["views", "likes", "comments", "shares", "saves"];
  return (kol.posts || []).map((post) => h("div", { class: "post" }, h("p", null, bdi(post.text || post.id)),
    h("p", { class: "meta" }, post.sponsored && h("span", { class: "tag warn" }, t("kol.sponsored")),
      post.at && h("span", null, post.at),
      figures.filter((name) => known(post[name])).map((name) => h("span", null, `${count(post[name])} ${t(`post.${name}`)}`)),
      known(post.completion) && h("span", null, `${t("f.completion")} ${percent(post.completion)}`))));
}

function growth(kol) {
  const told_lines = [["followers", HUES[0]], ["views", HUES[1]]].filter(([key]) => (kol.growth || {})[key]);
  return told_lines.length > 0 && h("div", { class: "lines" }, told_lines.map(([key, colour]) =>
    line_card(t(`kol.growth.${key}`), kol.growth[key], name_of(kol), colour)));
}

function line_card(title, points, name, colour, face) {
  const [from, to] = [count(points[0][1]), count(last(points)[1])];
  return h("div", { class: "line" },
    h("div", { class: "top" }, face, span("name", bdi(title)), span("change", signed(growth_of(points)))),
    spark(points, title, t("chart.growth.desc", { name, from, to }), colour),
    h("div", { class: "ends" }, h("span", null, `${points[0][0].slice(0, 7)} · ${from}`), h("span", null, to)));
}

function audience(kol) {
  const target = DATA.brief.audience || {};
  const told_dims = Object.entries(kol.audience || {});
  return told_dims.length > 0 && h("div", { class: "dims" }, told_dims.map(([dimension, mix]) =>
    h("div", null, h("h4", null, t(`dim.${dimension}`)), share_rows(mix, target[dimension], audience_name(dimension), 5))));
}

function precedents(kol) {
  const cases = (kol.precedents || []).map((past) => h("div", { class: "case" },
    h("div", { class: "head" }, span("strong", bdi(past.title || past.brand || NONE)), past.title && past.brand && span("muted", bdi(past.brand)),
      h("span", { class: "tag" }, word("status", past.status))),
    h("p", { class: "figures" },
      h("span", null, bdi(past.own ? t("kol.precedents.own") : t("kol.precedents.like", { name: past.name || NONE }))),
      past.at && h("span", null, past.at), past.mode && h("span", null, word("mode", past.mode)),
      known(past.cost) && h("span", null, money(past.cost, past.currency)),
      ["views", "engagements", "orders"].filter((name) => known(past[name])).map((name) => h("span", null, `${t(`f.${name}`)} ${count(past[name])}`)),
      known(past.gmv) && h("span", null, `${t("f.gmv")} ${brief_money(past.gmv, past.currency)}`))));
  return cases.length > 0 && h("div", { class: "cases" }, cases);
}

function successors(kol) {
  const found = (kol.successors || []).map((next) => h("div", { class: "case who" }, avatar(next),
    h("div", null, span("name", bdi(next.name || NONE)), span("meta", where(next))),
    h("div", { class: "num", style: { "margin-left": "auto" } }, span("strong", money(next.price, next.currency)),
      h("p", { class: "small muted" }, [known(next.growth) && t("kol.monthly", { share: signed(next.growth) }), t("kol.similar", { share: percent(next.similarity) })].filter(Boolean).join(" · ")))));
  return found.length > 0 && h("div", { class: "cases" }, found);
}

// The drawer: a dialog, so that the browser keeps the focus in it and Escape closes it.
let shown_kol = null;

function open_kol(kol) {
  shown_kol = kol;
  const drawer = document.getElementById("drawer");
  const order = listed();
  const at = order.indexOf(kol);
  const step = (by, key, name) => h("button", {
    type: "button", class: "button", id: `drawer-${name}`, disabled: !order[at + by] || at < 0,
    on: { click: () => turn(order[at + by], `drawer-${name}`) },
  }, icon(name), span("words", t(key)));
  fill(drawer,
    h("div", { class: "sheet-bar" }, span("place", `#${kol.rank}`), step(-1, "action.previous", "previous"), step(1, "action.next", "next"),
      h("button", { type: "button", class: "button", id: "drawer-close", "aria-label": t("action.close"), on: { click: () => drawer.close() } }, icon("close"))),
    detail(kol));
  drawer.scrollTop = 0;
  if (!drawer.open) drawer.showModal();
  document.getElementById("drawer-name").focus({ preventScroll: true });
}

function turn(kol, focused) {
  open_kol(kol);
  const again = document.getElementById(focused);
  (again.disabled ? document.getElementById("drawer-close") : again).focus();
}

// Two KOLs side by side; what is better is marked, by colour and by a dot.
const COMPARED = [
  ["col.rank", (kol) => kol.rank, (kol) => `#${kol.rank}`, -1],
  ["col.fit", (kol) => kol.fit, (kol) => chance(kol.fit), 1],
  ["col.price", (kol) => kol.price, (kol) => money(kol.price, kol.currency), -1],
  ["col.mode", () => null, (kol) => word("mode", kol.mode), 0],
  ["col.followers", () => null, (kol) => count(kol.followers), 0],
  ["f.median_views", (kol) => kol.median_views, (kol) => count(kol.median_views), 1],
  ["col.views", (kol) => mid(kol.views), (kol) => [count(mid(kol.views)), kol.views && span("sub", range(count(kol.views[0]), count(kol.views[2])))], 1],
  ["value", (kol) => kol.value, (kol) => worth(kol.value, kol.currency), 1],
  ["col.cpm", (kol) => mid(kol.cpm), (kol) => brief_money(mid(kol.cpm), kol.currency), -1],
  ["col.cpe", (kol) => kol.cpe, (kol) => money(kol.cpe, kol.currency), -1],
  ["col.roi", (kol) => mid(kol.roi), (kol) => [signed(mid(kol.roi)), kol.roi && span("sub", range(signed(kol.roi[0]), signed(kol.roi[2])))], 1],
  ["f.er", (kol) => kol.er, (kol) => rate(kol.er), 1],
  ["col.accept", (kol) => kol.accept, (kol) => chance(kol.accept), 1],
  ["col.risk", (kol) => kol.risk, (kol) => risk_tag(kol.risk), -1],
  ["kol.stage", () => null, (kol) => stage_tag(kol) || NONE, 0],
  ["kol.halving", (kol) => kol.halving, (kol) => percent(kol.halving), -1],
  ["col.plan", () => null, (kol) => (planned(kol) ? t("plan.in") : NONE), 0],
];

function open_versus(one, other) {
  const [a, b] = one.rank <= other.rank ? [one, other] : [other, one];
  const dialog = document.getElementById("versus");
  const cell = (figure, shown, way, own, rival) => {
    const [x, y] = [figure(own), figure(rival)];
    const better = way && known(x) && known(y) && (x - y) * way > 0;
    return h("td", null, better ? h("span", { class: "better" }, shown(own), span("sr", t("compare.better"))) : shown(own));
  };
  const rows = COMPARED.filter(([, , shown]) => [a, b].some((kol) => shown(kol) !== NONE));
  fill(dialog,
    h("div", { class: "sheet-bar" }, h("h2", { class: "place strong", id: "versus-name", tabindex: "-1" }, t("compare.title")),
      h("button", { type: "button", class: "button", id: "versus-close", "aria-label": t("action.close"), on: { click: () => dialog.close() } }, icon("close"))),
    h("div", { class: "inner" },
      contrast_part(a, b),
      h("table", { class: "table" },
        h("thead", null, h("tr", null, h("td", null, span("sr", t("compare.figure"))), [a, b].map((kol) =>
          h("th", { scope: "col" }, h("span", { class: "who" }, avatar(kol), bdi(name_of(kol))))))),
        h("tbody", null, rows.map(([key, figure, shown, way]) => h("tr", null,
          h("th", { scope: "row" }, key === "value" ? value_label() : t(key)),
          cell(figure, shown, way, a, b), cell(figure, shown, way, b, a)))))));
  dialog.showModal();
  document.getElementById("versus-name").focus();
}
