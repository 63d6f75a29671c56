// The index of a run: its briefs, and what each would get.
let query = "";

function matching() {
  const pieces = query.toLowerCase().split(/\s+/).filter(Boolean);
  return DATA.briefs.filter((brief) => {
    const text = [brief.brand, brief.title, brief.id, brief.goal && word("goal", brief.goal)].filter(Boolean).join("\n").toLowerCase();
    return pieces.every((piece) => text.includes(piece));
  });
}

function render() {
  speak();
  document.title = `${t("index.title")} · ${DATA.run.id}`;
  const many = DATA.briefs.length;
  const heads = [["index.brief"], ["index.goal"], ["index.budget", "num"], ["index.matched", "num"], ["index.planned", "num"], ["index.spend", "num"], ["index.value", "num"], ["index.ends"]];
  fill(document.getElementById("app"),
    bar_top(null, null),
    h("div", { class: "hero" }, h("div", { class: "wrap" },
      h("p", { class: "eyebrow" }, h("span", null, many === 1 ? t("index.about.one") : t("index.about", { n: many }))),
      h("h1", null, t("index.title")),
      stale(DATA.run),
      DATA.run.redacted_at && h("p", { class: "notice" }, t("redacted", { time: DATA.run.redacted_at })),
      h("p", { class: "rests" },
        DATA.run.basis && h("span", { class: `tag ${DATA.run.basis === "content" ? "warn" : "good"}` }, h("i", { class: "dot", "aria-hidden": "true" }), t(`basis.${DATA.run.basis}`)),
        DATA.run.as_of && h("span", null, t("as_of", { time: DATA.run.as_of })),
        DATA.run.as_of && h("span", null, model_told(DATA.run)),
        h("span", null, `${t("run.id")} ${DATA.run.id}`)))),
    h("main", { id: "main", tabindex: "-1" }, h("div", { class: "wrap" },
      totals(),
      h("div", { class: "card list index" },
        h("div", { class: "filters", role: "search" },
          h("input", { class: "field search", type: "search", id: "search", "aria-label": t("list.search.label"), placeholder: t("index.search"), value: query,
            on: { input: (event) => { query = event.target.value; show_briefs(); } } }),
          h("span", { class: "count", id: "count", role: "status" })),
        h("table", { class: "table", role: "table" },
          h("caption", { class: "sr" }, t("index.caption")),
          h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map(([key, kind]) => h("th", { class: kind, scope: "col", role: "columnheader" }, t(key))))),
          h("tbody", { id: "rows", role: "rowgroup" })),
        h("p", { class: "empty", id: "none", hidden: true }, t("index.none"))))),
    h("footer", { class: "foot" }, h("div", { class: "wrap" }, h("span", null, t("foot")), h("span", null, `kolmatch · ${DATA.run.id}`))));
  show_briefs();
}

// Sums over all briefs; money only where all of it is of one currency.
function totals() {
  const plans = DATA.briefs.filter((brief) => brief.plan);
  const cash = [...new Set(plans.map((brief) => brief.currency))];
  const told_totals = [
    [t("index.brief"), count(DATA.briefs.length)],
    [t("index.with_plan"), count(plans.length)],
    [t("index.seats"), count(sum(plans.map((brief) => brief.plan.kols)))],
    cash.length === 1 && [t("index.total"), brief_money(sum(plans.map((brief) => brief.plan.spent || 0)), cash[0])],
  ];
  return plans.length > 0 && h("dl", { class: "kpis" }, told_totals.filter(Boolean).map(([head, big]) =>
    h("div", { class: "kpi" }, h("dt", null, head), h("dd", null, h("div", { class: "big" }, big)))));
}

function show_briefs() {
  const found = matching();
  fill(document.getElementById("rows"), found.map(brief_row));
  document.getElementById("none").hidden = found.length > 0;
  fill(document.getElementById("count"), t("index.about", { n: found.length }));
}

function brief_row(brief) {
  const plan = brief.plan || {};
  const address = `${encodeURIComponent(brief.file)}#lang=${language}`;
  const cash = (n) => brief_money(n, brief.currency);
  const label = (key) => ({ role: "cell", "data-label": t(key) });
  return h("tr", { role: "row", on: { click: (event) => { if (!event.target.closest("a")) location.href = address; } } },
    h("td", { role: "cell", class: "wide bare" }, h("a", { class: "to", href: address }, bdi(brief.title || t("index.untitled"))),
      span("sub", brief.brand && bdi(brief.brand), brief.brand && " · ", bdi(brief.id))),
    h("td", label("index.goal"), brief.goal ? h("span", { class: "tag" }, word("goal", brief.goal)) : NONE),
    h("td", { ...label("index.budget"), class: "num" }, cash(brief.budget)),
    h("td", { ...label("index.matched"), class: "num" }, count(brief.matched)),
    h("td", { ...label("index.planned"), class: "num" }, count(plan.kols)),
    h("td", { ...label("index.spend"), class: "num strong" }, cash(plan.spent)),
    h("td", { ...label("index.value"), class: "num" }, known(plan.value) ? [worth(plan.value, brief.currency, brief.goal), " ", span("muted small", told("label", holds(DATA.words.label, `value.short.${brief.goal}`) ? `value.short.${brief.goal}` : "value.short"))] : NONE),
    h("td", { ...label("index.ends"), class: "nowrap" }, brief.ends || NONE));
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
addEventListener("hashchange", () => {
  const wanted = asked();
  if (wanted && wanted !== language) { language = wanted; render(); }
});
render();
