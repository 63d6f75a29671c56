// The page of one brief, put together.
function section(id, title, about, ...content) {
  return h("section", { class: "section", id, "aria-labelledby": `${id}-title` },
    h("header", null, h("h2", { id: `${id}-title` }, title), about && h("p", null, about)), content);
}

function titled() {
  const brief = DATA.brief;
  return brief.title || brief.id;
}

function hero() {
  const brief = DATA.brief, run = DATA.run;
  return h("div", { class: "hero" }, h("div", { class: "wrap" },
    h("p", { class: "eyebrow" }, brief.brand && span("brand", bdi(brief.brand)), h("span", null, t("doc.proposal"))),
    h("h1", null, bdi(titled())),
    h("dl", { class: "facts" }, facts().map(([head, figure]) => h("div", null, h("dt", null, head), h("dd", null, figure)))),
    brief.text && asked_text(brief.text),
    stale(run),
    run.basis === "content" && h("p", { class: "notice" }, t("basis.content.about")),
    run.redacted_at && h("p", { class: "notice" }, t("redacted", { time: run.redacted_at })),
    h("p", { class: "rests" },
      h("span", { class: `tag ${run.basis === "content" ? "warn" : "good"}` }, h("i", { class: "dot", "aria-hidden": "true" }), t(`basis.${run.basis}`)),
      h("span", null, t("as_of", { time: run.as_of })),
      h("span", null, model_told(run)),
      h("span", null, t("brief.id"), " ", bdi(brief.id)))));
}

function asked_text(text) {
  const told_text = h("p", { class: "asked", id: "asked" }, bdi(text));
  if (text.length < 150 && !text.includes("\n")) return told_text;
  told_text.classList.add("clip");
  const more = h("button", { type: "button", class: "link", id: "asked-more", "aria-expanded": "false", "aria-controls": "asked",
    on: { click: () => {
      const clipped = told_text.classList.toggle("clip");
      more.setAttribute("aria-expanded", String(!clipped));
      fill(more, t(clipped ? "action.more" : "action.less"));
    } } }, t("action.more"));
  return [told_text, more];
}

function facts() {
  const brief = DATA.brief;
  const listed_words = (group, codes) => (codes ? codes.map((code) => word(group, code)).join(language === "zh" ? "、" : ", ") : t("brief.any"));
  const period = brief.starts && brief.ends ? t("until", { from: brief.starts, to: brief.ends }) : brief.starts ? t("from", { from: brief.starts }) : brief.ends ? t("to", { to: brief.ends }) : null;
  return [
    [t("brief.goal"), brief.goal && word("goal", brief.goal)],
    [t("brief.budget"), known(brief.budget) && brief_money(brief.budget, brief.currency)],
    [t("brief.vertical"), brief.vertical && bdi(named("vertical", brief.vertical))],
    [t("brief.platforms"), listed_words("platform", brief.platforms)],
    [t("brief.modes"), brief.modes && listed_words("mode", brief.modes)],
    [t("brief.period"), period],
    [t("brief.wanted"), known(brief.wanted) && count(brief.wanted)],
    [t("brief.max_price"), known(brief.max_price) && money(brief.max_price, brief.currency)],
    [t("brief.min_followers"), brief.min_followers > 0 && count(brief.min_followers)],
    [t("brief.max_risk"), known(brief.max_risk) && percent(brief.max_risk)],
    [t("brief.product_price"), known(brief.product_price) && money(brief.product_price, brief.currency)],
    [t("brief.margin"), known(brief.margin) && percent(brief.margin)],
    [t("brief.audience"), target_words()],
    [t("brief.blocked"), brief.blocked_terms && bdi(brief.blocked_terms.join(language === "zh" ? "、" : ", "))],
  ].filter(([, figure]) => figure);
}

// The largest group of each dimension that the brief aims at, such as women · 25-34 · tier 1.
function target_words() {
  const found = Object.entries(DATA.brief.audience || {}).filter(([dim]) => dim !== "interest").map(([dim, mix]) => {
    const top = Object.keys(mix)[0];
    return top && audience_name(dim)(top);
  });
  return found.filter(Boolean).slice(0, 4).join(" · ");
}

function kpis() {
  const made_kpis = feasible(plan_now()) ? plan_kpis(plan_now()) : list_kpis();
  return made_kpis.filter(Boolean).slice(0, 7).map(([head, big, sub, below]) =>
    h("div", { class: "kpi" }, h("dt", { title: head }, head), h("dd", null, h("div", { class: "big" }, big), sub && h("div", { class: "sub" }, sub), below)));
}

const caution = () => PLANS.some(feasible) && h("p", { class: "fineprint" }, t("kpi.caution"));

function plan_kpis(plan) {
  const cash = plan.currency, views = mid(plan.views);
  const platforms = [...new Set(plan.chosen.map((member) => KOLS[member.kol].platform))];
  const spent = known(plan.budget) && t("kpi.spend.of", { budget: brief_money(plan.budget, cash), share: percent(plan.spent / plan.budget) });
  const on = platforms.length === 1 ? t("kpi.platforms.one", { name: word("platform", platforms[0]) }) : t("kpi.platforms", { n: platforms.length });
  const between = (ends, shown) => ends && known(ends[0]) && known(ends[2]) && t("range", { low: shown(ends[0]), high: shown(ends[2]) });
  return [
    [t("kpi.spend"), brief_money(plan.spent, cash), spent, known(plan.budget) && meter(plan.spent / plan.budget)],
    [t("kpi.kols"), count(plan.chosen.length), on],
    known(plan.value) && [value_short(), worth(plan.value, cash), between(plan.values, (n) => worth(n, cash))],
    goal() !== "awareness" && plan.views && [t("kpi.views"), count(views), between(plan.views, count)],
    known(plan.reach) && [t("kpi.reach"), count(plan.reach), t("kpi.reach.sub")],
    goal() === "conversion" && plan.roi && [t("col.roi"), signed(mid(plan.roi)), between(plan.roi, signed)],
    goal() !== "conversion" && views > 0 && [t("kpi.cpm"), money((plan.spent / views) * 1000, cash), t("kpi.cpm.sub")],
    known(plan.risk) && [t("kpi.risk"), percent(plan.risk), t(`risk.${risk_level(plan.risk)}`)],
  ];
}

function list_kpis() {
  const screened = sum(DATA.funnel.map((row) => row.kols));
  const prices = KOLS.map((kol) => kol.price).filter(known);
  const risks_known = KOLS.filter((kol) => known(kol.risk));
  const low = risks_known.filter((kol) => risk_level(kol.risk) === "low").length;
  const best = most(KOLS.map((kol) => kol.fit).filter(known));
  const [views, cpm] = [median(KOLS.map((kol) => (kol.views ? mid(kol.views) : kol.median_views))), median(KOLS.map((kol) => mid(kol.cpm)))];
  return [
    [t("kpi.matched"), count(KOLS.length), screened > 0 && t("kpi.matched.sub", { n: plain(screened, 0) })],
    prices.length > 0 && [t("kpi.price"), money(median(prices), CURRENCY), t("range", { low: brief_money(least(prices), CURRENCY), high: brief_money(most(prices), CURRENCY) })],
    Number.isFinite(best) && [t("kpi.best"), chance(best), null],
    known(views) && [t("kpi.median_views"), count(views), t("kpi.median")],
    known(cpm) && [t("col.cpm"), money(cpm, CURRENCY), t("kpi.median")],
    risks_known.length > 0 && [t("kpi.lowrisk"), percent(low / risks_known.length), t("kpi.lowrisk.sub", { n: risks_known.length, k: low })],
  ];
}

function render() {
  speak();
  const brief = DATA.brief;
  document.title = [brief.brand, titled()].filter(Boolean).join(" · ");
  const links = [["plan", PLANS.length > 0], ["matches", true], ["insight", KOLS.length > 0], ["method", true]]
    .filter(([, there]) => there).map(([id]) => h("a", { href: `#${id}`, on: { click: jump(id) } }, t(`nav.${id}`)));
  fill(document.getElementById("app"),
    bar_top("index.html", links), hero(),
    h("main", { id: "main", tabindex: "-1" }, h("div", { class: "wrap" },
      h("section", { class: "section", "aria-label": t("kpi.title") }, h("dl", { class: "kpis", id: "kpis" }), caution()),
      plan_section(), list_section(), insight_section(), method_section())),
    h("footer", { class: "foot" }, h("div", { class: "wrap" }, h("span", null, t("foot")), h("span", null, `kolmatch · ${DATA.run.id}`))),
    h("div", { class: "tray", id: "tray", role: "region", "aria-label": t("list.compare"), hidden: true }),
    h("dialog", { class: "drawer", id: "drawer", "aria-labelledby": "drawer-name" }),
    h("dialog", { class: "versus", id: "versus", "aria-labelledby": "versus-name" }),
    h("div", { id: "print", "aria-hidden": "true" }));
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  show_step();
}

// Sections are jumped to without giving up the language in the address.
function jump(id) {
  return (event) => {
    event.preventDefault();
    const place = document.getElementById(id);
    place.scrollIntoView();
    place.setAttribute("tabindex", "-1");
    place.focus({ preventScroll: true });
  };
}

document.getElementById("skip").addEventListener("click", jump("main"));
addEventListener("hashchange", () => {
  const wanted = asked();
  if (wanted && wanted !== language) { language = wanted; render(); }
});
addEventListener("beforeprint", lay_out_print);
addEventListener("afterprint", clear_print);
render();
