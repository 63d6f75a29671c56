# ruff: noqa: E501
"""Named cases of bad input: what is wrong, and what must be said about it.

Each case is a small valid folder with one thing changed. ``python -m tests.features.bad_input.cases``
prints how many there are, by table and kind.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

BASE = {
    "briefs": {"brief_id": "b1", "brand_id": "x", "text": "Serum", "goal": "seeding"},
    "kols": {"kol_id": "k1", "platform": "douyin", "observed_at": "2025-01-01", "followers": "100"},
    "posts": {
        "post_id": "p1",
        "kol_id": "k1",
        "published_at": "2025-01-01",
        "observed_at": "2025-01-02",
    },
    "rates": {
        "kol_id": "k1",
        "mode": "sponsorship",
        "quoted_at": "2025-01-01",
        "price": "10",
        "currency": "CNY",
    },
    "collaborations": {
        "collaboration_id": "c1",
        "brief_id": "b1",
        "kol_id": "k1",
        "status": "shown",
        "shown_at": "2025-02-01",
    },
    "outcomes": {"collaboration_id": "c1", "horizon_days": "7", "measured_at": "2025-03-01"},
    "judgments": {"brief_id": "b1", "kol_id": "k1", "judge": "ann", "grade": "3"},
    "incidents": {
        "incident_id": "i1",
        "kol_id": "k1",
        "known_at": "2025-01-01",
        "kind": "fraud",
        "severity": "0.5",
    },
    "vectors": {
        "owner": "kol",
        "id": "k1",
        "space": "topic",
        "observed_at": "2025-01-01",
        "vector": "1 2",
    },
    "exchange_rates": {
        "currency": "USD",
        "to_currency": "CNY",
        "quoted_at": "2025-01-01",
        "rate": "7",
    },
}
"""One good row of each table."""

_UNIQUE = {
    "briefs": ("brief_id", "b{}"),
    "kols": ("kol_id", "k{}"),
    "posts": ("post_id", "p{}"),
    "rates": ("quoted_at", "2025-01-{:02}"),
    "collaborations": ("collaboration_id", "c{}"),
    "outcomes": ("horizon_days", "{}"),
    "judgments": ("judge", "j{}"),
    "incidents": ("incident_id", "i{}"),
    "vectors": ("space", "s{}"),
    "exchange_rates": ("quoted_at", "2025-01-{:02}"),
}
_NEEDS = {
    "briefs": (),
    "kols": (),
    "posts": ("kols",),
    "rates": ("kols",),
    "collaborations": ("briefs", "kols"),
    "outcomes": ("briefs", "kols", "collaborations"),
    "judgments": ("briefs", "kols"),
    "incidents": ("kols",),
    "vectors": ("kols",),
    "exchange_rates": (),
}


@dataclass(frozen=True)
class Cell:
    """A row in which one cell was changed, and others with it where the value needs them."""

    table: str
    kind: str
    column: str
    value: str
    says: str
    beside: dict[str, str] = field(default_factory=dict)
    shown: str | None = None

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}={self.value[:30]!r} ({self.kind})"


def sheet(table: str, cells: list[Cell]) -> dict[str, str]:
    """Return a folder in which row 2 of a table is good, and each next one a case."""
    key, form = _UNIQUE[table]
    rows = [BASE[table]]
    for at, cell in enumerate(cells, start=2):
        rows.append(BASE[table] | {key: form.format(at)} | cell.beside | {cell.column: cell.value})
    others = {f"{name}.csv": csv_of([BASE[name]]) for name in _NEEDS[table]}
    return {f"{table}.csv": csv_of(rows), **others}


def csv_of(rows: list[dict[str, str]]) -> str:
    """Return rows as CSV, every cell quoted."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    return "".join(
        ",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines
    )


def _cells() -> list[Cell]:  # noqa: PLR0915
    made: list[Cell] = []

    def add(kind: str, says: str, where: str, *values: str, shown: str | None = None,
            **beside: str) -> None:  # fmt: skip
        table, column = where.split(".")
        made.extend(Cell(table, kind, column, value, says, beside, shown) for value in values)

    money = {"currency": "CNY"}
    counts = ("many", "1,23", "1.234", "12 34", "0x10", "inf", "1e999")
    add("type", "a number", "kols.followers", *counts)
    add("range", "0 or more", "kols.followers", "-1", "-1.2万")
    add("huge", "up to 1e+20", "kols.followers", "1e300", "9" * 30, "1e21")
    add("huge", "0 or more than", "kols.followers", "1e-400")
    add("type", "a number", "posts.views", "lots", "5 apples", "Infinity", "1/2")
    add("range", "0 or more", "posts.views", "-5")
    add("range", "0 or more", "posts.likes", "-1")
    add("range", "0 or more", "posts.comments", "-1")
    add("huge", "up to 1e+20", "posts.views", "1e200")
    add("range", "share between 0 and 1", "posts.completion_rate", "1.5", "37", "-5%", "101%")
    add("type", "a number", "posts.completion_rate", "half")
    add("enum", "yes or no", "posts.is_sponsored", "maybe", "2", "yes!")
    for column in ("active_follower_share", "suspicious_follower_share"):
        add("range", "share between 0 and 1", f"kols.{column}", "-0.1", "1.2", "120%")
        add("type", "a number", f"kols.{column}", "high")
    add("enum", "one of douyin", "kols.platform", "myspace", "douyin;weibo", "x" * 200)
    add("mix", "sum to at most 1", "kols.audience_gender", "female:70%;male:40%")
    add("mix", "female and male", "kols.audience_gender", "cats:50%")
    add("mix", "shares by name", "kols.audience_gender", "65%", "female", "female:;male:1")
    add("mix", "each name once", "kols.audience_gender", "female:50%;女:40%")
    add("mix", "share between 0 and 1", "kols.audience_gender", "female:65;male:35")
    add("mix", "sum to at most 1", "kols.audience_age", "18-24:60%;25-34:60%", "18-24:-10%")
    add("mix", "shares by age", "kols.audience_age", "young:20%")
    add("mix", "sum to at most 1", "kols.audience_region", "广东:70%;江苏:70%")
    add("mix", "shares by name", "kols.audience_region", '{"a":', '{"a": [1]}', '{"a": null}')
    add("encoding", "shares by name", "kols.audience_region", '{"\\ud800": 0.5}')
    add("mix", "a number", "kols.audience_region", '{"a": "NaN"}', '{"a": "Infinity"}')
    add("huge", "shares by name", "kols.audience_region", '{"a":' * 3000)
    add("mix", "sum to at most 1", "kols.audience_city_tier", "一线:80%;二线:80%")
    add("json", "a list such as", "kols.verticals", "[1, [2]]", "[a]", "[null]")
    add("encoding", "a list such as", "kols.verticals", '["\\ud800"]')
    dates = ("soon", "04/05/2025", "2025-02-30", "2025-13-01", "1741279037", "45000", "2025-01-01 25:00",
             "1899-12-31", "2200-01-01", "0000-01-01", "2025-01-01 10:00 +25:00")  # fmt: skip
    add("time", "", "kols.observed_at", *dates)
    add("time", "", "posts.published_at", *dates[:6])
    add("time", "", "incidents.known_at", *dates[:4])
    add("time", "", "briefs.starts_at", *dates[:4])
    add("time", "", "outcomes.measured_at", *dates[:4])
    add("time", "", "judgments.judged_at", *dates[:3])
    add("missing", "not empty", "kols.observed_at", "")
    for table, (key, _) in _UNIQUE.items():
        if table not in ("vectors", "rates", "exchange_rates"):
            add("missing", "", f"{table}.{key}", "")
    hidden = "cannot be seen"
    for where in ("kols.kol_id", "briefs.brief_id", "posts.post_id", "incidents.incident_id"):
        add("id", hidden, where, "k\n1", "a\u200bb", "a\u202eb", "a\x07b")
        add("id", "whole id", where, "1.23E+18")
        add("huge", "at most 500", where, "k" * 501)
    add("enum", "one of awareness", "briefs.goal", "fame", "seeding;engagement")
    add("missing", "text", "briefs.text", "")
    add("enum", "each one of douyin", "briefs.platforms", "douyin;myspace", "friendster")
    add("enum", "each one of ad_placement", "briefs.modes", "billboard")
    for column in ("budget", "max_price_per_kol", "product_price"):
        add("money", "0 or more", f"briefs.{column}", "-5", "-¥5", **money)
        add("money", "", f"briefs.{column}", "cheap", "5 or 6", **money)
        add("currency", "the currency that the row has", f"briefs.{column}", "$5", "€5", **money)
        add("currency", "a currency beside it", f"briefs.{column}", "5")
    add("currency", "one currency", "briefs.budget", "$5 EUR", **money)
    add("currency", "ISO 4217", "briefs.currency", "shells", "RMBX", budget="5")
    add("range", "0 or more", "briefs.kols_wanted", "-3")
    add("type", "a number", "briefs.kols_wanted", "a few")
    add("range", "0 or more", "briefs.min_followers", "-1")
    for column in ("gross_margin", "max_risk", "min_audience_match"):
        add("range", "share between 0 and 1", f"briefs.{column}", "1.1", "-1", "60")
    add("mix", "sum to at most 1", "briefs.audience_gender", "female:90%;male:20%")
    add("order", "not after ends_at", "briefs.starts_at", "2025-05-02", ends_at="2025-05-01",
        shown="2025-05-02")  # fmt: skip
    add("order", "not after observed_at", "posts.published_at", "2025-03-01")
    add("reference", "in kols", "posts.kol_id", "nobody", "../k1", "K1")
    add("reference", "in kols", "rates.kol_id", "nobody")
    add("enum", "one of ad_placement", "rates.mode", "billboard", "", "sponsorship;q_and_a")
    add("money", "0 or more", "rates.price", "-1")
    add("money", "", "rates.price", "", "ask", "1.234", "1e400")
    add("currency", "ISO 4217", "rates.currency", "shells", "¤")
    add("currency", "the currency that the row has", "rates.price", "$5", "5 USD")
    add("order", "not after valid_until", "rates.quoted_at", "2025-02-01", valid_until="2025-01-15")
    add("order", "not after available_to", "rates.available_from", "2025-02-01",
        available_to="2025-01-15")  # fmt: skip
    add("enum", "one of shown", "collaborations.status", "ghosted", "")
    add("range", "share between 0 and 1", "collaborations.propensity", "2", "-1")
    add("money", "0 or more", "collaborations.cost", "-9", **money)
    add("currency", "a currency beside it", "collaborations.cost", "9")
    add("order", "not after signed_at", "collaborations.shown_at", "2025-03-01",
        signed_at="2025-02-01")  # fmt: skip
    add("order", "not after published_at", "collaborations.signed_at", "2025-04-01",
        published_at="2025-03-01")  # fmt: skip
    add("order", "not after status_at", "collaborations.shown_at", "2025-03-02",
        status_at="2025-02-01")  # fmt: skip
    add("reference", "in briefs", "collaborations.brief_id", "nothing")
    add("reference", "in kols", "collaborations.kol_id", "nobody")
    add("range", "more than 0", "outcomes.horizon_days", "0", "-7")
    add("type", "a number", "outcomes.horizon_days", "a week")
    for column in ("views", "clicks", "orders"):
        add("range", "0 or more", f"outcomes.{column}", "-1")
        add("label", "a number", f"outcomes.{column}", "inf", "#DIV/0!")
    add("money", "0 or more", "outcomes.gmv", "-1", **money)
    add("money", "0 or more", "outcomes.refunded_gmv", "-1", **money)
    add("currency", "the currency that the row has", "outcomes.gmv", "$1", **money)
    add("order", "when its collaboration was shown", "outcomes.measured_at", "2025-01-30",
        "2024-01-01")  # fmt: skip
    add("reference", "in collaborations", "outcomes.collaboration_id", "c9")
    add("label", "from 0 to 4", "judgments.grade", "5", "-1", "nan", "")
    add("label", "a number", "judgments.grade", "good", "inf", "A+")
    add("reference", "in briefs", "judgments.brief_id", "b9")
    add("reference", "in kols", "judgments.kol_id", "k9")
    add("range", "share between 0 and 1", "incidents.severity", "5", "-0.5", "")
    add("type", "a number", "incidents.severity", "severe")
    add("missing", "text", "incidents.kind", "")
    add("order", "not after known_at", "incidents.occurred_at", "2025-06-01")
    add("reference", "in kols", "incidents.kol_id", "nobody")
    add("enum", "one of brief, kol", "vectors.owner", "agency", "")
    add("id", "kolmatch's own signals", "vectors.space", "mean", "max", "posts")
    add("vector", "finite numbers", "vectors.vector", "nan 1", "inf 1", "1e39 1", "a b", "1_0 2", "1,,2",
        "[[1]]", "")  # fmt: skip
    add("currency", "ISO 4217", "exchange_rates.to_currency", "shells", "9")
    add("currency", "ISO 4217", "exchange_rates.currency", "XXXX")
    add("range", "above 0", "exchange_rates.rate", "0", "-7", "")
    add("type", "a number", "exchange_rates.rate", "seven")
    add("currency", "two different currencies", "exchange_rates.rate", "7", to_currency="USD")
    return made


CELLS = _cells()


def main() -> None:
    """Print the number of cases by table and kind."""
    from tests.features.bad_input.files import DOCUMENTS, FILES, SETTINGS

    count = Counter((cell.table, cell.kind) for cell in CELLS)
    count.update(("files", case.kind) for case in FILES)
    count.update(("mapping and settings", case.kind) for case in SETTINGS)
    count.update(("free-text briefs", case.kind) for case in DOCUMENTS)
    tables = list(dict.fromkeys(table for table, _ in count))
    print("| of | cases | kinds |\n|---|--:|---|")
    for table in tables:
        kinds = [f"{kind} {n}" for (of, kind), n in sorted(count.items()) if of == table]
        total = sum(n for (of, _), n in count.items() if of == table)
        print(f"| {table} | {total} | {', '.join(kinds)} |")
    print(f"| all | {sum(count.values())} | |")


if __name__ == "__main__":
    main()
