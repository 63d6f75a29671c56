"""Write docs/tables.md, the data contract for people, from the contract the code checks.

python docs/tables.py
"""

from __future__ import annotations

from pathlib import Path

from features.columns import Column, TableSpec
from features.contract import SPECS
from features.headers import aliases

PAGE = Path(__file__).with_name("tables.md")
INTRO = """# Your data: ten tables

<!-- Written by docs/tables.py from features/contract.py; a test holds them together. -->

A folder holds one or more files a table: CSV (UTF-8, with or without BOM, or GB18030), XLSX or
Parquet. A file or sheet is recognised by its name (`briefs.csv`, `达人.xlsx`, `posts_2024.csv`), a
column by its header. Only **briefs** and **kols** are needed to match; every other table makes the
answer better. Headers that are not listed can be mapped in a TOML (`--mapping map.toml`):

```toml
timezone = "Asia/Shanghai"          # of times without an offset; UTC if not said

[[table]]
name = "kols"                       # one of the ten tables
file = "creators*.csv"
skip_if_null = ["followers"]        # rows without these are no rows of this table

[table.columns]
kol_id = "creator_id"               # a header of your file
bio = ["title", "desc"]             # several, joined as lines
platform = { value = "xiaohongshu" }
observed_at = { column = "time_ms", unit = "ms" }
audience_age.18-24 = { column = "粉丝年龄18-24", unit = "percent" }
```

Numbers, dates and lists are read as people write them: `1.2万`, `10w+`, `12%`, `1,234`,
`139,000₫`, full-width digits, `2025/4/12`, `2025年4月12日`, `抖音;小红书`, `女 65% | 男 35%`. What
could mean two things (`04/05/2025`, `1.234`) is refused with the remedy, never guessed. Ids are
text: `NA`, `60e12345`, `007` and 19 digits stay as they are. Times are UTC unless the mapping says
otherwise; money needs an ISO 4217 `currency`; unknown is an empty cell, never 0. Columns in
**bold** must have a value in every row, unless the whole column is left out and the table says
what follows. A time may only be left out where there are no `collaborations`.

Text and grades are enough to learn from: `briefs` (brief_id, text), `kols` (kol_id, bio), `posts`
(post_id, kol_id, text) and `judgments` (brief_id, kol_id, grade). `kolmatch simulate --judged`
writes such a folder.

A later row with the same key replaces the earlier one whole: send all columns again, or what is
left out becomes unknown. A date without a time is its first moment, but the last one of
`valid_until`, `available_to` and `ends_at`.

`exchange_rates` make amounts of several currencies comparable, each by the latest rate before its
time: quoted directly, the other way round, or through one common currency. Where no rate is known,
amounts of two currencies are never compared.

Columns of contact details (phone numbers, e-mail addresses, WeChat ids, identity cards, addresses,
bank accounts) are refused, and masked where they stand in free text: [why](privacy.md).

`kolmatch check FOLDER` lists every fault with file, row, column, value and what was expected.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([INTRO, *map(_section, SPECS.values())])


def _section(spec: TableSpec) -> str:
    needed = "needed" if spec.required else "optional"
    known = f"; known from `{spec.known_at}` on" if spec.known_at else ""
    key = " + ".join(f"`{column}`" for column in spec.key)
    head = f"## {spec.name}\n\n{needed}; one row for each {key}{known}\n"
    rows = ["| column | holds | also understood |", "|---|---|---|"]
    rows += [_row(spec, column) for column in spec.columns]
    return "\n".join([head, *rows, ""])


def _row(spec: TableSpec, column: Column) -> str:
    name = f"**{column.name}**" if column.required else column.name
    told = column.expected.removesuffix(", not empty")
    if column.doc:
        told = f"{column.doc} ({told})"
    if column.stand_in:
        told += f"; left out, {column.stand_in.doc}"
    others = [alias for alias in aliases(spec, column.name) if alias != column.name]
    return f"| {name} | {told} | {', '.join(others[:8])} |".replace("  ", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
