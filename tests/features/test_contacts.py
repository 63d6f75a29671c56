"""Contact details: refused as columns, masked in free text, and always told."""

from pathlib import Path

import pandas as pd
import pytest

from features.contacts import contact_of, contacts_in, mask_column, masked
from features.errors import TableError
from features.ingest import read_folder

CLEAN = "kol_id,platform,observed_at,bio\nk1,douyin,2025-04-12,{bio}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("合作 13800138000 张", "合作 [phone] 张"),
        ("合作V13800138000", "合作V[phone]"),
        ("+86 138-0013-8000", "[phone]"),
        ("call +1 (415) 555-2671!", "call [phone]!"),
        ("a.b+c@mail.example.cn；谢谢", "[e-mail]；谢谢"),
        ("me＠example.com", "[e-mail]"),
        ("微信：abc_12345 来撩", "[wechat] 来撩"),
        ("vx:kolmaster88", "[wechat]"),
        ("11010519491231002X", "[id number]"),
    ],
)
def test_contact_details_are_masked(text: str, expected: str) -> None:
    assert masked(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "粉丝+10000000，播放 12345678901234",
        "https://x.com/item?id=13800138000",
        "1380013800.0",
        "110105194912310021",  # the check digit is wrong
        "@小桃子40 follow @someone.else",
        "wx: 你好世界",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert masked(text) == (text, [])


def test_a_column_without_any_is_the_same_object() -> None:
    texts = pd.Series(["a", None, "12345"], dtype="str")
    assert mask_column(texts)[0] is texts
    changed, rows, kinds = mask_column(pd.Series(["a@b.cn c@d.cn", None], dtype="str"))
    assert (changed[0], rows, kinds) == ("[e-mail] [e-mail]", 1, {"[e-mail]": 2})


@pytest.mark.parametrize(
    "header",
    [
        *("手机号", "联系电话", "电话（座机）", "微信号", "邮箱", "E-mail", "Phone_Number"),
        *("身份证号码", "收货地址", "地址", "银行卡号", "开户行", "WeChat_ID", "QQ号", "passport"),
    ],
)
def test_headers_of_contact_details(header: str) -> None:
    assert contact_of(header)


@pytest.mark.parametrize(
    "header",
    ["昵称", "ip属地", "地域", "wechat_mp_followers", "微信粉丝数", "address_rate", "备注"],
)
def test_headers_of_other_things(header: str) -> None:
    assert contact_of(header) is None


def test_values_tell_a_column_without_a_telling_header() -> None:
    assert contacts_in(["13800138000", "13900139000", None]) == "phone numbers"
    assert contacts_in(["a@b.cn", "c@d.cn", "-"]) == "e-mail addresses"
    assert contacts_in(["11010519491231002X"]) == "numbers of identity cards"
    assert contacts_in(["1200", "13800138000", *map(str, range(9))]) is None
    assert contacts_in([]) is None


@pytest.mark.parametrize(
    ("header", "cell", "found"),
    [
        ("联系电话", "021-1234", "phone numbers"),
        ("备注", "13800138000", "phone numbers"),
        ("银行卡号", "6222", "bank accounts"),
    ],
)
def test_a_column_of_contact_details_is_refused(
    tmp_path: Path, header: str, cell: str, found: str
) -> None:
    text = f"kol_id,platform,observed_at,{header}\nk1,douyin,2025-04-12,{cell}\n"
    (tmp_path / "kols.csv").write_text(text, encoding="utf-8")
    told = (
        f"kols.csv, row 1, column {header}: got '{found}', expected no contact details, which "
        "kolmatch neither needs nor keeps: delete this column from the file"
    )
    with pytest.raises(TableError, match=told):
        read_folder(tmp_path)


def test_free_text_is_masked_and_the_notes_say_so(tmp_path: Path) -> None:
    (tmp_path / "kols.csv").write_text(CLEAN.format(bio="合作 me@example.com"), encoding="utf-8")
    reading = read_folder(tmp_path)
    assert reading.tables.kols["bio"].tolist() == ["合作 [e-mail]"]
    (note,) = [note for note in reading.notes if "masked" in note]
    assert note == (
        "kols.csv: contact details in bio were masked, as kolmatch keeps none: 1 [e-mail] (rows: 1)"
    )


def test_a_column_of_the_contract_is_never_one_of_contact_details(tmp_path: Path) -> None:
    text = "kol_id,platform,observed_at\n13800138000,douyin,2025-04-12\n"
    (tmp_path / "kols.csv").write_text(text, encoding="utf-8")
    assert read_folder(tmp_path).tables.kols["kol_id"].tolist() == ["13800138000"]
