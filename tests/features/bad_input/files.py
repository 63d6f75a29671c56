# ruff: noqa: E501
"""Cases of whole files, mappings, settings and documents that are bad."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.features.bad_input.cases import BASE, csv_of

KOLS = csv_of([BASE["kols"]])
BRIEFS = csv_of([BASE["briefs"]])
POSTS = csv_of([BASE["posts"]])
_WORD = "word/document.xml"


@dataclass(frozen=True)
class Case:
    """What a folder (or document, or settings file) holds, and what must be said about it.

    ``says`` must stand in the message that refuses it or, where it is ``noted``, in a note.
    """

    name: str
    kind: str
    files: dict[str, str | bytes]
    says: tuple[str, ...]
    noted: bool = False
    setup: Callable[[Path], object] | None = None


def zipped(**parts: bytes) -> bytes:
    """Return a zip archive of parts; ``__`` in a name is a slash."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return out.getvalue()


def workbook(*rows: list[object], change: tuple[bytes, bytes] | None = None) -> bytes:
    """Return a workbook, with some bytes of its one worksheet exchanged."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    if change is None:
        return out.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(*change) if "sheet1" in name else data)
    return changed.getvalue()


_HEAD: list[object] = ["kol_id", "platform", "observed_at"]
_ROW: list[object] = ["k1", "douyin", "2025-01-01"]


def _kols(extra: str, cell: str) -> str:
    return csv_of([BASE["kols"] | {extra: cell}])


def _link(name: str, target: str) -> Callable[[Path], object]:
    return lambda home: (home / name).symlink_to(target)


def _fifo(home: Path) -> None:
    import os

    os.mkfifo(home / "posts.csv")


def _circle(home: Path) -> None:
    (home / "posts.csv").symlink_to(home / "rates.csv")
    (home / "rates.csv").symlink_to(home / "posts.csv")


_OK: dict[str, str | bytes] = {"kols.csv": KOLS}
_CONTACTS = {
    "phone": "13800138000", "手机号": "13800138000", "email": "a@example.com", "微信号": "abc_12345",
    "身份证号": "11010519491231002X", "收货地址": "road 1", "银行卡号": "6222020200112233445",
    "remark": "a@example.com",
}  # fmt: skip
_LOG = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'

FILES = (
    Case("no files", "empty", {}, ("no files", "such as kols.csv")),
    Case("empty file", "empty", {"kols.csv": KOLS, "posts.csv": ""}, ("posts.csv: empty",), True),
    Case("no kol", "empty", {"briefs.csv": BRIEFS}, ("no kols: matching needs them",), True),
    Case("no brief", "empty", _OK, ("no briefs: matching needs them",), True),
    Case("one kol", "empty", {"kols.csv": KOLS, "briefs.csv": BRIEFS}, (), True),
    Case("header only", "empty", {"kols.csv": KOLS.splitlines()[0]}, ("no kols",), True),
    Case("only commas", "header", {"kols.csv": ",,,\n"}, ("kols.csv", "kol_id", "no column", "达人id")),
    Case("wrong headers", "header", {"kols.csv": "a,b\n1,2\n"}, ("kol_id", "name yours in a mapping")),
    Case("header twice", "header", {"kols.csv": "kol_id,kol_id\n1,2\n"}, ("row 1", "each header once")),
    Case("two headers for one", "header", {"kols.csv": _kols("粉丝数", "5")},
         ("row 1", "column 粉丝数", "followers and 粉丝数", "rename the other")),
    Case("name of two tables", "header", _OK | {"报价 笔记.csv": POSTS}, ("posts or rates", "mapping")),
    Case("name of no table", "header", _OK | {"stuff.csv": "a\n1\n"}, ("stuff.csv: not read",), True),
    Case("open quote", "quoting", {"kols.csv": 'kol_id\n"k1\n'}, ("row 2", "quotes that close")),
    Case("quote inside", "quoting", {"kols.csv": 'kol_id\n"k"1\n'}, ("row 2", "doubled inside it")),
    Case("cells too many", "quoting", {"kols.csv": KOLS + "k2,douyin,2025-01-01,1,2\n"},
         ("row 3", "5 cells", "4 cells, as many as the header has")),
    Case("cells too few", "quoting", {"kols.csv": KOLS + "k2\n"}, ("row 3", "1 cells", "4 cells")),
    Case("a cell of 17 MB", "huge", {"kols.csv": f"kol_id\n{'x' * 17 * 2**20}\n"}, ("row 2", "limit")),
    Case("NUL at the start", "encoding", {"kols.csv": b"kol_id\nk\x001\n"}, ("bytes that are not text", "UTF-8")),
    Case("NUL far in", "encoding", {"kols.csv": b"kol_id,bio\nk1," + b"x" * 9000 + b"\0\n"}, ("not text",)),
    Case("UTF-16 unmarked", "encoding", {"kols.csv": KOLS.encode("utf-16-le")}, ("byte order mark",)),
    Case("UTF-32", "encoding", {"kols.csv": KOLS.encode("utf-32")}, ("kols.csv", "not text")),
    Case("Latin-1", "encoding", {"kols.csv": b"kol_id,bio\nk1,caf\xe9,\n"}, ("UTF-8 or GB18030",)),
    Case("no UTF-8", "encoding", {"kols.csv": _kols("bio", "护肤").encode("gb18030")},
         ("read as GB18030", "save it as UTF-8"), True),
    Case("half UTF-8", "encoding", {"kols.csv": b"\xef\xbb\xbfkol_id\n\xff\n"}, ("not text", "UTF-8")),
    Case("old workbook", "workbook", _OK | {"posts.xls": b"x"}, ("posts.xls", "saved as .xlsx")),
    Case("workbook that is none", "workbook", {"kols.xlsx": b"hello"}, ("kols.xlsx", "opens in a spreadsheet")),
    Case("zip that is no workbook", "workbook", {"kols.xlsx": zipped(a=b"b")}, ("kols.xlsx", "opens in")),
    Case("half a workbook", "workbook", {"kols.xlsx": workbook(_HEAD, _ROW)[:900]}, ("kols.xlsx", "opens in")),
    Case("empty workbook", "workbook", _OK | {"posts.xlsx": workbook()}, ("posts.xlsx: empty",), True),
    Case("a worksheet of billions of rows", "bomb",
         {"kols.xlsx": workbook(_HEAD, _ROW, change=(b'<row r="2"', b'<row r="2000000000"'))},
         ("kols.xlsx", "beyond 1,048,576")),
    Case("a column beyond the last", "bomb",
         {"kols.xlsx": workbook(_HEAD, _ROW, change=(b'r="A2"', b'r="ZZZZ2"'))}, ("kols.xlsx", "opens in")),
    Case("entities that grow", "bomb",
         {"kols.xlsx": workbook(_HEAD, _ROW, change=(b"<worksheet", _LOG + b"<worksheet>&a;<x"))},
         ("kols.xlsx", "opens in")),
    Case("a cell in error", "workbook", {"kols.xlsx": workbook([*_HEAD, "followers"], [*_ROW, "#N/A"])},
         ("row 2", "followers", "#N/A", "shows an error")),
    Case("an id that was rounded", "workbook", {"kols.xlsx": workbook(_HEAD, [10**18, *_ROW[1:]])},
         ("row 2", "kol_id", "Export it again")),
    Case("no Parquet", "parquet", {"kols.parquet": b"PAR1 hello PAR1"}, ("kols.parquet", "whole")),
    Case("empty Parquet", "parquet", {"kols.parquet": b""}, ("kols.parquet", "whole")),
    Case("same row twice", "duplicate", {"kols.csv": csv_of([BASE["kols"]] * 2)},
         ("row 3", "kol_id + observed_at", "found twice")),
    Case("same key in two files", "duplicate", _OK | {"kols-2.csv": KOLS}, ("found twice", "row 2")),
    Case("one rate twice", "duplicate", _OK | {"rates.csv": csv_of([BASE["rates"]] * 2)},
         ("row 3", "kol_id + mode + quoted_at")),
    Case("two grades by one judge", "duplicate",
         _OK | {"briefs.csv": BRIEFS, "judgments.csv": csv_of([BASE["judgments"]] * 2)}, ("row 3", "found twice")),
    Case("posts without KOLs", "reference", {"posts.csv": POSTS}, ("no kols", "a file of kols")),
    Case("vectors of nobody", "reference", _OK | {"vectors.csv": csv_of([BASE["vectors"] | {"id": "k9"}])},
         ("no kol has this id: k9",), True),
    Case("excluded nobody", "reference", _OK | {"briefs.csv": csv_of([BASE["briefs"] | {"excluded_kols": "k9"}])},
         ("no KOL has this id or name: k9",), True),
    Case("no currency anywhere", "currency",
         _OK | {"rates.csv": csv_of([{k: v for k, v in BASE["rates"].items() if k != "currency"}])},
         ("rates.csv", "currency", "币种")),
    Case("future KOL", "future", {"kols.csv": csv_of([BASE["kols"] | {"observed_at": "2199-01-01"}])},
         ("kols.csv, row 2, column observed_at: 2199-01-01 is still to come", "rows so: 1"), True),
    Case("future rate", "future", _OK | {"rates.csv": csv_of([BASE["rates"] | {"quoted_at": "2150-01-01"}])},
         ("rates.csv, row 2, column quoted_at", "no match before it"), True),
    Case("no time beside collaborations", "missing",
         {"briefs.csv": BRIEFS, "kols.csv": "kol_id\nk1\n", "collaborations.csv": csv_of([BASE["collaborations"]])},
         ("observed_at", "what was known before them")),
    Case("link out of the folder", "link", _OK, ("posts.csv", "/etc/passwd", "not followed"), False,
         _link("posts.csv", "/etc/passwd")),
    Case("relative link out", "link", _OK, ("posts.csv", "not followed"), False, _link("posts.csv", "../../../etc/passwd")),
    Case("link to a device", "link", _OK, ("posts.csv", "/dev/zero"), False, _link("posts.csv", "/dev/zero")),
    Case("link to nothing", "link", _OK, ("posts.csv", "leads to none"), False, _link("posts.csv", "gone.csv")),
    Case("links in a circle", "link", _OK, ("posts.csv", "leads to none"), False, _circle),
    Case("a pipe", "link", _OK, ("posts.csv", "a plain file"), False, _fifo),
    Case("a folder named as a file", "link", _OK, ("posts.csv/: folders are not looked into",), True,
         lambda home: (home / "posts.csv").mkdir()),
    Case("letters without end", "huge", {"kols.csv": _kols("bio", "a" * 50_000 + " @")}, (), True),
    Case("a bio of 50,000 characters", "huge", {"kols.csv": _kols("bio", "护肤😀 b" * 10_000)}, (), True),
    Case("blanks without end", "huge", {"kols.csv": _kols("audience_region", "a" + " " * 50_000 + "b")},
         ("row 2", "audience_region", "a number such as")),
    *(Case(f"contact column {header}", "contact", {"kols.csv": _kols(header, cell)},
           ("kols.csv, row 1", f"column {header}", "delete this column")) for header, cell in _CONTACTS.items()),
    Case("contacts in a bio", "contact", {"kols.csv": _kols("bio", "call 13800138000")},
         ("contact details in bio were masked", "rows: 1"), True),
)  # fmt: skip

_ONE = '[[table]]\nname = "kols"\nfile = "kols.csv"\n'


def _map(name: str, text: str | bytes, *says: str) -> Case:
    return Case(f"mapping: {name}", "mapping", {"map.toml": text}, ("map.toml", *says))


def _set(name: str, text: str | bytes, *says: str) -> Case:
    return Case(f"settings: {name}", "settings", {"kolmatch.toml": text}, ("kolmatch.toml", *says))


SETTINGS = (
    _map("no TOML", "a = = b", "TOML in UTF-8"),
    _map("deep lists", "a = " + "[" * 50_000, "TOML in UTF-8"),
    _map("deep keys", "a" + ".a" * 2000 + " = 1", "a key that exists here"),
    _map("a number of 5,000 digits", "a = " + "9" * 5000, "TOML in UTF-8"),
    _map("no UTF-8", b"a = '\xff'", "TOML in UTF-8"),
    _map("a NUL", "a = \0", "TOML in UTF-8"),
    _map("key twice", 'timezone = "UTC"\ntimezone = "UTC"', "TOML in UTF-8"),
    _map("unknown key", "tables = 1", "tables", "a key that exists here"),
    _map("a zone that is a path", 'timezone = "../../etc/passwd"', "timezone", "Asia/Shanghai"),
    _map("a zone that is a folder", 'timezone = "Asia"', "timezone", "Asia/Shanghai"),
    _map("unknown table", '[[table]]\nname = "cats"\nfile = "a"', "table.1.name", "'kols'"),
    _map("no file", '[[table]]\nname = "kols"', "table.1.file", "must be there"),
    _map("no such file", '[[table]]\nname = "kols"\nfile = "a.csv"', "a.csv", "kols.csv"),
    _map("unknown column", f"{_ONE}[table.columns]\ncats = 'a'", "columns.cats", "kol_id"),
    _map("unknown header", f"{_ONE}[table.columns]\nbio = 'intro'", "columns.bio", "intro"),
    _map("wrong unit", f"{_ONE}[table.columns]\nfollowers = {{column='followers', unit='kg'}}", "unit", "kg"),
    _map("wrong currency", f"{_ONE}[table.columns]\nbio = {{column='x', currency='RMB'}}", "ISO 4217"),
    _set("no TOML", "a = = b", "TOML"),
    _set("deep lists", "a = " + "[" * 50_000, "TOML"),
    _set("a number of 5,000 digits", "a = " + "9" * 5000, "TOML"),
    _set("deep keys", "eligibility.exclusivity_days" + ".a" * 2000 + " = 1", "exclusivity_days"),
    _set("no UTF-8", b"a = '\xff'", "TOML"),
    _set("unknown setting", "cats = 1", "cats is not a setting", "eligibility"),
    _set("out of range", "[eligibility]\nexclusivity_days = -1", "eligibility.exclusivity_days = -1"),
    _set("wrong type", "[eligibility]\nexclusivity_days = 'a'", "eligibility.exclusivity_days"),
    _set("infinite", "[eligibility]\nexclusivity_days = inf", "eligibility.exclusivity_days"),
)  # fmt: skip


def _doc(name: str, file: str, data: str | bytes, *says: str) -> Case:
    return Case(name, "document", {file: data}, (file, *says))


DOCUMENTS = (
    _doc("another kind of file", "brief.pdf", b"%PDF", "save it as one of them"),
    _doc("no text", "brief.txt", "", "no text", "a brief in words"),
    _doc("blanks", "brief.md", " \n\t\n", "a brief in words"),
    _doc("too long", "brief.txt", "x" * 50_000, "50,000 characters", "leave out what is attached"),
    _doc("no UTF-8", "brief.txt", b"\xff\xfe\xfa", "text in UTF-8"),
    _doc("NUL", "brief.txt", b"serum\0", "bytes that are not text"),
    _doc("no zip", "brief.docx", b"hello", "saved as .docx"),
    _doc("empty docx", "brief.docx", b"", "saved as .docx"),
    _doc("zip that is no document", "brief.docx", zipped(a=b"b"), "saved as .docx"),
    _doc("bomb", "brief.docx", zipped(word__document_xml=b" " * 21 * 2**20), "when unpacked", "paste the brief"),
    _doc("workbook by another name", "brief.docx", workbook(_HEAD), "saved as .docx"),
    _doc("21 MB", "brief.txt", b"x" * (21 * 2**20), "bytes", "at most 20 MB"),
)  # fmt: skip
