import math
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.cells import Style, vocabulary
from features.columns import Column
from features.contract import SPECS
from features.values import Parsed, parse

FULL_WIDTH = str.maketrans(string.digits + ",.%+-", "０１２３４５６７８９，．％＋－")


def read(table: str, column: str, *texts: str | None, **style: str) -> Parsed:
    return parse(pd.Series(texts, dtype="str"), SPECS[table][column], Style(**style))


def one(table: str, column: str, text: str, **style: str):
    parsed = read(table, column, text, **style)
    assert parsed.refused[0] is None, parsed.refused[0]
    return parsed.values.iloc[0]


def refusal(table: str, column: str, text: str, **style: str) -> str:
    parsed = read(table, column, text, **style)
    assert parsed.refused[0] is not None, f"{text!r} was read as {parsed.values.iloc[0]!r}"
    assert pd.isna(parsed.values.iloc[0]) if np.isscalar(parsed.values.iloc[0]) else True
    return parsed.refused[0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.2万", 12_000),
        ("10w+", 100_000),
        ("1.5亿", 150_000_000),
        ("3.4k", 3_400),
        ("2M", 2_000_000),
        ("1,234", 1_234),
        ("1，234", 1_234),
        ("1,234,567.5", 1_234_567.5),
        ("１２３", 123),
        ("３．４Ｋ", 3_400),
        ("3000人", 3_000),
        ("1.2 万 粉丝", 12_000),
        ("1.234万", 12_340),
        ("1e5", 100_000),
        ("0.123", 0.123),
        ("12.0", 12),
        ("-5", -5),  # a count below 0 is for the contract to refuse
        (" 7 ", 7),
    ],
)
def test_counts_as_people_write_them(text, number):
    assert one("posts", "views", text) == number


@pytest.mark.parametrize("text", ["12,34", "1.234,56", "1.234.567", "1.234", "0,123", "1,2345"])
def test_numbers_that_could_be_two_are_refused_with_the_remedy(text):
    assert "decimal =" in refusal("posts", "views", text)


@pytest.mark.parametrize(
    "text", ["1.2万3", "3000-5000", "约3000", "12%", "1²", "½", "٣", "inf", "60e12345"]
)
def test_what_is_no_number_is_refused(text):
    assert "a number such as" in refusal("posts", "views", text)


def test_what_is_measured_has_decimals():
    assert one("posts", "duration_s", "12.345") == 12.345
    assert one("posts", "duration_s", "30秒") == 30


def test_a_mapping_settles_the_decimal_sign():
    assert one("posts", "views", "1.234,5", decimal=",") == 1234.5
    assert one("posts", "views", "1.234", decimal=".") == 1.234


def test_a_unit_of_the_column_scales_and_is_not_given_twice():
    assert one("kols", "followers", "1.2", unit="万") == 12_000
    assert "without 万" in refusal("kols", "followers", "1.2万", unit="万")


@pytest.mark.parametrize(
    "word", ["-", "--", "/", "N/A", "无", "暂无", "null", "None", "", "  ", "—"]
)
@pytest.mark.parametrize(
    ("table", "column"),
    [("posts", "views"), ("rates", "price"), ("kols", "platform"), ("posts", "observed_at")],
)
def test_words_for_unknown_are_null(word, table, column):
    assert pd.isna(one(table, column, word))


@pytest.mark.parametrize("text", ["NA", "null", "None", "无", "-", "60e12345", "007", "9" * 19])
def test_ids_and_texts_are_what_they_are(text):
    assert one("kols", "kol_id", text) == text
    assert one("kols", "display_name", text) == text
    assert one("briefs", "excluded_kols", text) == (text,)


def test_ids_that_a_spreadsheet_shortened_are_refused_and_protected_ones_freed():
    assert "shortened" in refusal("kols", "kol_id", "6.41234E+18")
    assert one("kols", "kol_id", '="007"') == "007"


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("139,000₫", 139_000, "VND"),
        ("¥3,000", 3_000, "CNY"),
        ("￥３，０００", 3_000, "CNY"),
        ("$1,200.50", 1_200.5, "USD"),
        ("US$5", 5, "USD"),
        ("HK$ 80", 80, "HKD"),
        ("3000元", 3_000, "CNY"),
        ("30万元", 300_000, "CNY"),
        ("3000元+", 3_000, "CNY"),
        ("RMB 3000", 3_000, "CNY"),
        ("1200 usd", 1_200, "USD"),
        ("-¥5", -5, "CNY"),
    ],
)
def test_money_with_its_sign(text, amount, currency):
    parsed = read("rates", "price", text)
    assert parsed.values.tolist() == [amount]
    assert parsed.currencies[0][0] == currency


@pytest.mark.parametrize("text", ["139.000₫", "1.390.000₫", "元", "$5€", "¥3,000$"])
def test_money_in_doubt_is_refused(text):
    refusal("rates", "price", text)


def test_yen_and_yuan_share_a_sign():
    assert set(read("rates", "price", "¥5").currencies[0]) == {"CNY", "JPY"}


@pytest.mark.parametrize(
    ("word", "code"), [("人民币", "CNY"), ("rmb", "CNY"), ("usd", "USD"), ("￥", "CNY")]
)
def test_currencies_by_name(word, code):
    assert one("rates", "currency", word) == code


def test_unknown_currencies_are_refused():
    assert pd.isna(one("rates", "currency", "-"))
    assert "ISO 4217" in refusal("rates", "currency", "XXX")


def test_shares_are_exact_and_never_guessed():
    assert read("kols", "active_follower_share", "12%", "１２％", "0.5", "1").values.tolist() == [
        0.12, 0.12, 0.5, 1.0
    ]  # fmt: skip
    assert 'unit = "percent"' in refusal("kols", "active_follower_share", "65.37")
    assert one("kols", "active_follower_share", "65.37", unit="percent") == 0.6537


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025/4/12", "2025-04-12"),
        ("2025-04-12 18:30", "2025-04-12 18:30"),
        ("2025年4月12日", "2025-04-12"),
        ("2025年4月12日 18:30", "2025-04-12 18:30"),
        ("2025年4月12日18时30分", "2025-04-12 18:30"),
        ("20250412", "2025-04-12"),
        ("20250412183000", "2025-04-12 18:30"),
        ("2025.04.12", "2025-04-12"),
        ("２０２５－０４－１２", "2025-04-12"),
        ("2025-04-12T18:30:00.5Z", "2025-04-12 18:30:00.5"),
        ("2025-04-12T18:30:00+08:00", "2025-04-12 10:30"),
        ("2025-04-12 18:30:00-0330", "2025-04-12 22:00"),
        ("2024-02-29", "2024-02-29"),
    ],
)
def test_times(text, time):
    assert one("posts", "published_at", text) == pd.Timestamp(time, tz="UTC")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("04/05/2025", "year first"),
        ("13-05-2025", "year first"),
        ("2025-02-29", "that exist"),
        ("2025-13-01", "that exist"),
        ("2025-04-12 24:00", "that exist"),
        ("0202-04-12", "a year from"),
        ("2025-04", "a date or time"),
        ("45000", "a date or time"),
        ("1741279037000", 'unit = "s" or "ms"'),
        ("2025-04-12 6:30 PM", "a date or time"),
        ("18:30:00", "a date or time"),
        ("2025-04-12T10:00+99:00", "offset"),
    ],
)
def test_times_in_doubt_are_refused(text, expected):
    assert expected in refusal("posts", "published_at", text)


def test_time_zones_of_a_mapping():
    assert one("posts", "published_at", "2025-04-12", timezone="Asia/Shanghai") == pd.Timestamp(
        "2025-04-11 16:00", tz="UTC"
    )
    for text in ("2025-03-09 02:30", "2025-11-02 01:30"):  # skipped, repeated
        assert "with its offset" in refusal(
            "posts", "published_at", text, timezone="America/New_York"
        )


def test_numbers_are_times_only_where_a_mapping_says_so():
    assert one("posts", "published_at", "1741279037000", unit="ms") == pd.Timestamp(
        "2025-03-06 16:37:17", tz="UTC"
    )
    assert "in a year" in refusal("posts", "published_at", "1741279037000", unit="s")


def test_flags():
    words = ["是", "否", "TRUE", "0", "yes", "无", "未知", ""]
    flags = read("posts", "is_sponsored", *words).values.tolist()
    assert flags == [True, False, True, False, True, False, pd.NA, pd.NA]
    assert "yes or no" in refusal("posts", "is_sponsored", "maybe")


@pytest.mark.parametrize(
    ("column", "text", "labels"),
    [
        ("platforms", "抖音；小红书", ("douyin", "xiaohongshu")),
        ("platforms", "抖音/B站", ("douyin", "bilibili")),
        ("platforms", "douyin, 快手,douyin", ("douyin", "kuaishou")),
        ("platforms", '["抖音"]', ("douyin",)),
        ("modes", "Q&A|直播带货", ("q_and_a", "live_commerce")),
        ("blocked_terms", "最好、第一\n顶级", ("最好", "第一", "顶级")),
        ("blocked_terms", "Los Angeles, CA; b", ("Los Angeles, CA", "b")),
        ("blocked_terms", "a，b", ("a", "b")),
        ("excluded_kols", "[1234567890123456789]", ("1234567890123456789",)),
        ("excluded_kols", "", ()),
    ],
)
def test_lists(column, text, labels):
    assert one("briefs", column, text) == labels


def test_tags_lose_their_hashes():
    assert one("posts", "tags", "#美食 #探店") == ("美食", "探店")
    assert one("posts", "tags", "#话题#;b") == ("话题", "b")
    assert one("posts", "tags", "a|b;c", separator=";") == ("a|b", "c")


@pytest.mark.parametrize("text", ["抖音, MySpace", "[1, 2", "[[1]]", "[nope]"])
def test_lists_of_what_is_not_allowed_are_refused(text):
    assert "one of douyin" in refusal("briefs", "platforms", text)


@pytest.mark.parametrize(
    ("table", "column", "text", "value"),
    [
        ("kols", "platform", "小红书", "xiaohongshu"),
        ("kols", "platform", "TikTok", "tiktok"),
        ("briefs", "goal", "种草", "seeding"),
        ("rates", "mode", "广告植入", "ad_placement"),
        ("rates", "mode", "Live Commerce", "live_commerce"),
        ("collaborations", "status", "已签约", "signed"),
        ("briefs", "vertical", "美妆", "beauty"),
        ("briefs", "vertical", "航天", "航天"),
        ("kols", "region", "广东省", "CN-GD"),
        ("kols", "language", "中文", "zh"),
    ],
)
def test_words_for_canonical_values(table, column, text, value):
    assert one(table, column, text) == value


def test_the_vocabulary_names_what_the_contract_does():
    words = vocabulary().words
    for group, table, column in [
        ("platform", "kols", "platform"),
        ("mode", "rates", "mode"),
        ("goal", "briefs", "goal"),
        ("status", "collaborations", "status"),
        ("owner", "vectors", "owner"),
    ]:
        assert set(words[group].values()) == set(SPECS[table][column].choices)
    assert len(set(words["vertical"].values())) >= 20


@pytest.mark.parametrize(
    "text",
    [
        "female:65%;male:35%",
        "女 65% | 男 35%",
        "女65% 男35%",
        "女性：65％，男性：35％",
        '{"female": 0.65, "male": 0.35}',
        '{"F": "65%"}',
        "female=0.65",
        "1\t女\t65% | 2\t男\t35%",
    ],
)
def test_mixes_in_one_cell(text):
    assert one("kols", "audience_gender", text) == {"female": 0.65, "male": 0.35}


def test_mixes_as_platforms_export_them():
    text = "1        海外        15.88% | 2        广东        12.96%"
    assert one("kols", "audience_region", text) == {"overseas": 0.1588, "CN-GD": 0.1296}
    assert one("kols", "audience_age", "<18:10%;18～24岁:20%;>44=5%") == {
        "0-17": 0.1, "18-24": 0.2, "45+": 0.05
    }  # fmt: skip
    # Two interests that are one vertical are both in it.
    assert one("kols", "audience_interest", "旅游 10%|出行 5%") == {"travel": 0.15}
    assert one("kols", "audience_region", "广东:50", unit="percent") == {"CN-GD": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "女",
        "女:65",
        "女:x",
        ":5%",
        "女:10%;女:20%",
        "{",
        '{"女": [1]}',
        '{"女": NaN}',
        "12%",
        "火星:5%",
    ],
)
def test_mixes_in_doubt_are_refused(text):
    refusal("kols", "audience_gender", text)


def test_vectors():
    for text in ("[0.5, 1]", "0.5 1", "0.5;1", "[0.5 1.0]"):
        vector = one("vectors", "vector", text)
        assert vector.dtype == np.float32
        assert vector.tolist() == [0.5, 1]
    for text in ("[]", "a b", "1 nan", "1e40"):
        assert "finite numbers" in refusal("vectors", "vector", text)


def test_values_keep_the_index_and_the_dtype_of_their_kind():
    for spec in SPECS.values():
        for column in spec.columns:
            texts = pd.Series([None, ""], index=[7, 3], dtype="str")
            parsed = parse(texts, column)
            assert parsed.values.index.tolist() == [7, 3]
            assert parsed.values.dtype == column.dtype, column
            assert (parse(texts.iloc[:0], column).values.dtype) == column.dtype


@st.composite
def written_counts(draw):
    """Return a whole number and one of the ways in which people write it."""
    number = draw(st.integers(0, 10**12))
    style = draw(st.sampled_from(["plain", "grouped", "万", "k", "w+", "亿"]))
    if style == "plain":
        text = str(number)
    elif style == "grouped":
        text = f"{number:,}"
    else:
        word = style.removesuffix("+")
        number *= vocabulary().scales[word] // 10
        text = (
            f"{number // vocabulary().scales[word]}.{number * 10 // vocabulary().scales[word] % 10}"
        )
        text += draw(st.sampled_from(["", " "])) + style
    if draw(st.booleans()):
        text = text.translate(FULL_WIDTH)
    return number, draw(st.sampled_from(["", " ", "\u3000"])) + text


@given(written_counts())
def test_written_numbers_come_back(written):
    number, text = written
    assert one("posts", "views", text) == number


@given(st.integers(0, 10_000))
def test_percentages_come_back_as_the_nearest_float(hundredths):
    text = f"{hundredths / 100:.2f}%"
    assert one("kols", "active_follower_share", text) == hundredths / 10_000


@given(st.datetimes(pd.Timestamp("1900-01-02"), pd.Timestamp("2199-12-30")), st.integers(-840, 840))
def test_times_come_back(moment, offset):
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    text = f"{moment.isoformat()}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    expected = pd.Timestamp(moment, tz="UTC") - pd.Timedelta(minutes=offset)
    assert one("posts", "published_at", text) == expected


COLUMNS = [column for spec in SPECS.values() for column in spec.columns]
ODD = st.text(alphabet="0123456789.,-+%¥$万wkEe年月日:/|;[]{}\"'= \t\n女男", max_size=30) | st.text(
    max_size=60
)


@given(st.lists(ODD, max_size=5), st.sampled_from(COLUMNS))
def test_any_text_is_read_or_refused(texts, column: Column):
    parsed = parse(pd.Series(texts, dtype="str"), column)
    assert len(parsed.values) == len(parsed.refused) == len(texts)
    if column.kind in ("number", "count", "money", "share"):
        assert not any(map(math.isinf, parsed.values))
