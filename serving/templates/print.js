// What goes to paper or PDF: a cover, the plan, the list, a page for each KOL that matters, and how
// it was made. Laid out when printing starts, from the same parts as the page.
const PRINTED = 40, PORTRAITS = 12;

function lay_out_print() {
  const brief = DATA.brief, run = DATA.run, plan = plan_now();
  const kols = feasible(plan) ? plan.chosen.map((member) => KOLS[member.kol]) : KOLS.slice(0, PORTRAITS / 2);
  const sheet = (kind, ...content) => h("section", { class: `paper ${kind}` }, content);
  const titled_part = (title, ...content) => [h("h2", { class: "paper-title" }, title), content];
  const growth_there = growth_card();
  const lower = [scatter(760), reach()].filter(Boolean);
  fill(document.getElementById("print"),
    sheet("cover",
      h("p", { class: "mark" }, mark(), h("span", null, "kolmatch")),
      h("div", { class: "cover-title" },
        h("p", { class: "cover-kind" }, t("doc.proposal")),
        brief.brand && h("p", { class: "cover-brand" }, t("print.for"), " ", bdi(brief.brand)),
        h("h1", null, bdi(titled())),
        h("dl", { class: "facts" }, facts().map(([head, figure]) => h("div", null, h("dt", null, head), h("dd", null, cloned(figure)))))),
      h("dl", { class: "kpis" }, kpis()),
      caution(),
      h("p", { class: "cover-foot" }, [t(`basis.${run.basis}`), t("as_of", { time: run.as_of }), model_told(run)].join(" · "))),
    feasible(plan) && sheet("", titled_part(t("plan.title"),
      h("p", { class: "muted" }, t("plan.about")), members(plan, false),
      h("div", { class: "grid paper-grid" }, h("div", { class: "card" }, curve()),
        h("div", { class: "card" }, h("h3", null, t("plan.split")), split_parts(plan, "platform"), h("p", { class: "gap" }), split_parts(plan, "mode"))),
      plan_notes(plan))),
    lower.length > 0 && sheet("", titled_part(t("nav.insight"), lower.map((content) => h("div", { class: "card" }, content)), growth_there)),
    KOLS.length > 0 && sheet("", titled_part(KOLS.length > PRINTED ? t("print.list.first", { n: PRINTED }) : t("print.list"), printed_list(KOLS.slice(0, PRINTED)))),
    kols.slice(0, PORTRAITS).map((kol) => sheet("portrait", portrait(kol))),
    sheet("", titled_part(t("nav.method"), h("div", { class: "card" }, funnel()), h("div", { class: "card" }, h("h3", null, t("method.title")), method()),
      h("div", { class: "card" }, h("h3", null, t("method.made")), made()), h("p", { class: "muted small" }, t("foot")))));
  for (const fold of document.querySelectorAll("#print details")) fold.open = true;
  for (const twin of document.querySelectorAll("#print [id]:not(title):not(desc)")) twin.removeAttribute("id");
  document.body.classList.add("printing");
}

// One KOL on one page: what decides, at the size that fits.
function portrait(kol) {
  const shorter = { ...kol, posts: (kol.posts || []).slice(0, 2), precedents: (kol.precedents || []).slice(0, 2), risks: kol.risks && kol.risks.slice(0, 2),
    options: kol.options && kol.options.map((option) => ({ ...option, signed: null, why: option.recommended ? option.why : null })) };
  const heard = (key, about, content) => part("h4", key, about, content);
  return h("article", { class: "kol" },
    h("div", { class: "who" }, avatar(kol, "large"),
      h("div", null, h("h3", null, bdi(name_of(kol))), h("p", { class: "muted" }, where(kol)), tags(kol))),
    tiles(kol),
    h("div", { class: "sides" },
      h("div", null, heard("kol.reasons", null, reasons(kol)), heard("kol.forecast", null, forecast(kol)), heard("kol.posts", null, posts(shorter))),
      h("div", null, heard("kol.growth", null, growth(kol)), heard("kol.audience", null, audience(kol)), heard("kol.precedents", null, precedents(shorter)))),
    heard("kol.modes", null, modes(shorter)),
    (kol.risks || known(kol.risk)) && heard("kol.risks", null, risks(shorter)));
}

const cloned = (content) => (content instanceof Node ? content.cloneNode(true) : content);

function clear_print() {
  document.body.classList.remove("printing");
  fill(document.getElementById("print"));
}

function printed_list(kols) {
  const keys = COLUMNS.filter((key) => !["rank", "kol", "cpe", "accept"].includes(key));
  return h("table", { class: "table" },
    h("thead", null, h("tr", null, h("th", null, "#"), h("th", null, t("col.kol")), keys.map((key) => h("th", { class: WORDY.includes(key) ? "" : "num" }, label(key))))),
    h("tbody", null, kols.map((kol) => h("tr", null, h("td", { class: "rank" }, kol.rank), h("td", null, who(kol, false, "tiny")),
      keys.map((key) => h("td", { class: WORDY.includes(key) ? "" : "num" }, key === "views" && kol.views ? [span("strong", count(mid(kol.views))), span("sub", range(count(kol.views[0]), count(kol.views[2])))] : cell(key, kol)))))));
}
