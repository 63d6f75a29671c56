// The plan: a step of the budget, who is in, what it brings, and who would come next.
const PLANS = DATA.plans;
let step = Math.max(0, PLANS.findIndex((plan) => plan.step === 1));

const plan_now = () => PLANS[step] || null;
const feasible = (plan) => plan && plan.status !== "infeasible" && plan.chosen.length > 0;
const planned = (kol) => {
  const plan = plan_now();
  return plan ? plan.chosen.find((member) => KOLS[member.kol] === kol) : undefined;
};

function plan_section() {
  if (!PLANS.length) return null;
  return section("plan", t("plan.title"), t("plan.about"),
    h("div", { class: "grid plan" },
      h("div", { class: "stack" },
        h("div", { class: "card" }, slider(), h("div", { id: "plan-members" })),
        h("div", { id: "plan-left" })),
      h("div", { class: "stack" }, h("div", { class: "card", id: "plan-curve" }), h("div", { class: "card", id: "plan-split" }), h("div", { id: "plan-notes" }))));
}

function slider() {
  const end = PLANS.length - 1;
  const spoken = (plan) => t("plan.step", { budget: brief_money(plan.budget, plan.currency), share: percent(plan.step) });
  const done = () => `${(100 * step) / (end || 1)}%`;
  const input = h("input", {
    type: "range", style: { "--done": done() }, id: "step", min: 0, max: end, step: 1, value: step, disabled: !end,
    "aria-label": t("plan.slider"), "aria-valuetext": spoken(plan_now()),
    on: {
      input: (event) => {
        step = Number(event.target.value);
        event.target.style.setProperty("--done", done());
        event.target.setAttribute("aria-valuetext", spoken(plan_now()));
        show_step();
      },
    },
  });
  const marks = PLANS.map((plan, at) => h("span", {
    class: at === 0 || at === end ? "edge" : "", "data-step": at, style: { left: `${(100 * at) / (end || 1)}%` },
  }, percent(plan.step)));
  return h("div", { class: "slider" },
    h("p", { class: "now" }, h("small", null, t("plan.budget")), h("span", { id: "step-budget" }), h("small", { id: "step-share" })),
    h("div", null, input, h("div", { class: "ticks", "aria-hidden": "true" }, marks)));
}

// All that changes with the step; the rest of the page stays as it is.
function show_step() {
  const plan = plan_now();
  fill(document.getElementById("kpis"), kpis());
  show_rows();
  show_insight();
  if (!plan) return;
  fill(document.getElementById("step-budget"), brief_money(plan.budget, plan.currency));
  fill(document.getElementById("step-share"), plan.step === 1 ? t("plan.baseline") : percent(plan.step));
  for (const tick of document.querySelectorAll(".ticks span")) {
    tick.classList.toggle("on", Number(tick.dataset.step) === step);
  }
  fill(document.getElementById("plan-members"), members(plan));
  fill(document.getElementById("plan-curve"), curve());
  fill(document.getElementById("plan-split"), split(plan));
  fill(document.getElementById("plan-notes"), plan_notes(plan));
  fill(document.getElementById("plan-left"), left_out());
}

function members(plan, openable = true) {
  if (!feasible(plan)) return h("p", { class: "empty" }, t(plan.status === "infeasible" ? "plan.infeasible" : "plan.empty"));
  const spent = sum(plan.chosen.map((member) => member.price || 0)) || 1;
  const reaches = plan.chosen.some((member) => known(member.reach));
  const heads = [["col.kol"], ["col.mode"], ["col.price", "num"], ["plan.share", "num"], ["value", "num"], reaches && ["plan.adds", "num"], ["col.risk"]].filter(Boolean);
  return h("div", { class: openable ? "scroll" : "", tabindex: openable ? "0" : null, role: openable ? "region" : null, "aria-label": openable ? t("plan.members") : null },
    h("table", { class: "table" },
      h("caption", { class: "sr" }, t("plan.members")),
      h("thead", null, h("tr", null, heads.map(([key, kind]) => h("th", { class: kind, scope: "col" }, key === "value" ? value_short() : t(key))))),
      h("tbody", null, plan.chosen.map((member) => {
        const kol = KOLS[member.kol];
        return h("tr", null,
          h("td", null, who(kol, openable)),
          h("td", { class: "nowrap" }, word("mode", member.mode)),
          h("td", { class: "num" }, money(member.price, member.currency)),
          h("td", { class: "num" }, percent(member.price / spent)),
          h("td", { class: "num" }, worth(member.value, member.currency)),
          reaches && h("td", { class: "num" }, count(member.reach)),
          h("td", null, risk_tag(kol.risk, true)));
      })),
      h("tfoot", null, h("tr", null, h("td", { colspan: 2 }, t("plan.total")),
        h("td", { class: "num" }, money(plan.spent, plan.currency)), h("td", { class: "num" }, "100%"),
        h("td", { class: "num" }, worth(plan.value, plan.currency), plan.values && span("sub", range(worth(plan.values[0], plan.currency), worth(plan.values[2], plan.currency)))),
        reaches && h("td", { class: "num" }, count(plan.reach)), h("td", null, known(plan.risk) && risk_tag(plan.risk, true))))));
}

function who(kol, openable, size = "") {
  const named_by = openable
    ? h("button", { type: "button", class: "name", "aria-label": t("list.open", { name: name_of(kol) }), on: { click: (event) => { event.stopPropagation(); open_kol(kol); } } }, bdi(name_of(kol)))
    : span("name", bdi(name_of(kol)));
  return h("div", { class: "who" }, avatar(kol, size), h("div", null, named_by, h("div", { class: "meta" }, where(kol, "kol.followers.short"))));
}

// What each budget brings, with its interval: the price of going further is the slope.
function curve() {
  const told_plans = PLANS.filter((plan) => feasible(plan) && known(plan.value));
  const head = [h("h3", null, t("plan.curve")), h("p", { class: "about" }, t("plan.curve.about", { value: inside_sentence(value_label()) }))];
  if (told_plans.length < 2) return [...head, h("p", { class: "empty" }, t("unknown"))];
  const width = 340, height = 208, left = 44, bottom = 26;
  const ends = told_plans.flatMap((plan) => [plan.value, ...(plan.values || [])]).filter(known);
  const x = scale(told_plans.map((plan) => plan.budget), left, width - 14, false);
  const budgets = told_plans.map((plan) => plan.budget);
  const across = (n) => left + ((n - budgets[0]) / (last(budgets) - budgets[0] || 1)) * (width - 24 - left);
  const y = scale([0, ...ends], height - bottom, 12, false);
  const line = (at) => told_plans.map((plan, i) => `${i ? "L" : "M"}${across(plan.budget).toFixed(1)} ${y.place(at(plan)).toFixed(1)}`).join("");
  const back = (at) => [...told_plans].reverse().map((plan) => `L${across(plan.budget).toFixed(1)} ${y.place(at(plan)).toFixed(1)}`).join("");
  const low = (plan) => (plan.values && known(plan.values[0]) ? plan.values[0] : plan.value);
  const high = (plan) => (plan.values && known(plan.values[2]) ? plan.values[2] : plan.value);
  const currency = told_plans[0].currency;
  const now = plan_now();
  const description = told_plans.map((plan) => `${brief_money(plan.budget, plan.currency)}: ${worth(plan.value, plan.currency)}`).join("; ");
  const edges = [told_plans[0], last(told_plans)];
  if (feasible(now) && !edges.includes(now)) edges.push(now);
  const clear = edges.filter((plan) => plan === now || !feasible(now) || Math.abs(across(plan.budget) - across(now.budget)) > 58);
  return [...head, h("div", { class: "chart" }, chart(width, height, t("plan.curve"), description,
    ticks(y, 4).map((n) => [
      s("line", { class: "rule", x1: left, x2: width - 6, y1: y.place(n), y2: y.place(n) }),
      s("text", { x: left - 8, y: y.place(n) + 4, "text-anchor": "end" }, worth(n, currency).replace(/^[^\d−]+/, "")),
    ]),
    s("path", { d: `${line(high)}${back(low)}Z`, fill: HUES[0], "fill-opacity": 0.1 }),
    s("path", { d: line((plan) => plan.value), fill: "none", stroke: HUES[0], "stroke-width": 2, "stroke-linejoin": "round" }),
    told_plans.map((plan) => s("circle", { cx: across(plan.budget), cy: y.place(plan.value), r: plan === now ? 5 : 2.6, fill: plan === now ? HUES[0] : "#fff", stroke: HUES[0], "stroke-width": plan === now ? 0 : 1.5 })),
    clear.map((plan) => s("text", { class: plan === now ? "label" : "", x: across(plan.budget), y: height - 6, "text-anchor": across(plan.budget) > width - 40 ? "end" : across(plan.budget) < left + 20 ? "start" : "middle" }, brief_money(plan.budget, plan.currency))),
  )), flat_from(told_plans)];
}

// Says from which budget on the curve stays where it is; null while more budget still brings more.
function flat_from(plans) {
  const most = last(plans).value;
  const first = plans.find((plan) => plan.value >= most * 0.995);
  // Where nothing is to be had, or the search was cut short, that would be more than is known.
  return most <= 0 || last(plans).status !== "optimal" || first === last(plans) ? null : h("p", { class: "about" }, t("plan.curve.flat", { budget: brief_money(first.budget, first.currency) }));
}

const SPLITS = {
  platform: (member) => word("platform", KOLS[member.kol].platform),
  tier: (member) => word("tier", KOLS[member.kol].tier),
  mode: (member) => word("mode", member.mode),
};
let split_by = "platform";

function split(plan) {
  const choice = h("div", { class: "segment", role: "group", "aria-label": t("plan.split") },
    Object.keys(SPLITS).map((by) => h("button", {
      type: "button", id: `split-${by}`, "aria-pressed": String(by === split_by),
      on: { click: () => { split_by = by; fill(document.getElementById("plan-split"), split(plan_now())); document.getElementById(`split-${by}`).focus(); } },
    }, t(`by.${by}`))));
  const top = h("div", { class: "top" }, h("h3", null, t("plan.split")), choice);
  return feasible(plan) ? [top, split_parts(plan, split_by)] : [top, h("p", { class: "empty" }, NONE)];
}

function split_parts(plan, by) {
  const amounts = new Map();
  for (const member of plan.chosen) {
    const key = SPLITS[by](member);
    amounts.set(key, (amounts.get(key) || 0) + (member.price || 0));
  }
  const parts = [...amounts].map(([name, amount]) => ({ name, amount })).sort((a, b) => b.amount - a.amount);
  return split_bar(parts, (amount) => brief_money(amount, plan.currency));
}

function plan_notes(plan) {
  const lines = all(plan.notes).map((note) => h("li", null, note));
  if (plan.status === "optimal") lines.push(h("li", null, t("plan.status.optimal")));
  if (plan.status === "time_limit") lines.push(h("li", null, t("plan.status.time_limit", { gap: percent(plan.gap, 1) })));
  return lines.length > 0 && h("div", { class: "card" }, h("h3", null, t("plan.notes")), h("ul", { class: "notes" }, lines));
}

// Who is left out of the brief's own plan, by how little cheaper they would have to be.
function left_out() {
  const base = PLANS.find((plan) => plan.step === 1);
  const now = plan_now();
  if (!base || now !== base || !base.left.length) return null;
  return h("details", { class: "card fold" },
    h("summary", null, t("plan.left"), span("muted", t("plan.show", { n: base.left.length }))),
    h("p", { class: "about" }, t("plan.left.about")), left_table(base.left));
}

function left_table(rows, openable = true) {
  const heads = [["col.kol"], ["col.mode"], ["plan.asks", "num"], ["plan.entry", "num"], ["plan.cut", "num"]];
  return h("div", { class: openable ? "scroll" : "", tabindex: openable ? "0" : null, role: openable ? "region" : null, "aria-label": openable ? t("plan.left") : null },
    h("table", { class: "table" },
      h("thead", null, h("tr", null, heads.map(([key, kind]) => h("th", { class: kind, scope: "col" }, t(key))))),
      h("tbody", null, rows.map((member) => h("tr", null,
        h("td", null, who(KOLS[member.kol], openable, "tiny")),
        h("td", { class: "nowrap" }, word("mode", member.mode)),
        h("td", { class: "num" }, money(member.price, member.currency)),
        h("td", { class: "num" }, member.entry === 0 ? span("muted", t("plan.never")) : money(member.entry, member.currency)),
        h("td", { class: "num" }, member.entry > 0 && member.price > 0 ? signed(Math.min(0, member.entry / member.price - 1)) : NONE))))));
}
