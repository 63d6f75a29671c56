// Why one stands above another: `matcher.contrast.contrast`, step by step. That function is the
// reference; a test holds this one to it.
const TOLD = { ahead: 2, behind: 1 };

function contrast(one, other) {
  const [a, b] = one.rank <= other.rank ? [one, other] : [other, one];
  const { words, families } = DATA.contrast;
  const lead = (family) => (a.parts[family] || 0) - (b.parts[family] || 0);
  const ordered = Object.keys(families).sort((x, y) => lead(y) - lead(x));
  const first = tellings(ordered.filter((family) => lead(family) > 0), a, b).slice(0, TOLD.ahead);
  const ahead = first.length ? first : tellings(ordered, a, b).slice(0, 1);
  const against = [...ordered].reverse().filter((family) => lead(family) < 0);
  const behind = tellings(against, b, a).slice(0, TOLD.behind);
  const names = ahead.map((figure) => families[figure.family][language]).join(words.and[language]);
  const told_names = { a: a.name, b: b.name, i: String(a.rank), j: String(b.rank), families: names };
  return [
    filled(words[ahead.length ? "ahead" : "level"][language], told_names),
    ...ahead.map((figure) => sentence(figure, a, b)),
    ...behind.map((figure) => filled(words.but[language], { sentence: sentence(figure, b, a) })),
  ];
}

// One figure of each family that has one better on the first side.
function tellings(families, best, rest) {
  const first = (family) => DATA.contrast.figures.find((figure) => figure.family === family && is_better(figure, best, rest));
  return families.map(first).filter(Boolean);
}

function is_better(figure, best, rest) {
  if (figure.kind === "money" && best.currency !== rest.currency) return false;
  const [x, y] = [best, rest].map((side) => (holds(side.figures, figure.name) ? side.figures[figure.name] : null));
  return Boolean(x && y) && x[1] !== y[1] && x[2] !== y[2] && (x[0] - y[0]) * figure.better > 0;
}

function sentence(figure, a, b) {
  const place = language === "zh" ? 1 : 2;
  const [x, y] = [a, b].map((side) => side.figures[figure.name][place]);
  return filled(figure[language], { a: a.name, b: b.name, x, y });
}

const filled = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function contrast_part(a, b) {
  return a.side && b.side && h("section", { class: "contrast", id: "contrast" },
    h("h3", null, t("compare.why")),
    h("ul", { class: "notes" }, contrast(a.side, b.side).map((told_why) => h("li", null, bdi(told_why)))));
}
