"""What is read of a brief, field by field."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.brieftext.draft import to_briefs
from features.brieftext.findings import Understood
from features.brieftext.reader import clean, language, understand
from features.contract import BRIEFS

TODAY = date(2026, 5, 6)


def read(text: str, field: str) -> Any:
    found = understand(text, TODAY).found.get(field)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("预算30万", 300_000),
        ("预算：30w", 300_000),
        ("总预算不超过八十万", 800_000),
        ("预算 五十万 元", 500_000),
        ("预算20-30万", 300_000),
        ("预算￥３００，０００（含税）", 300_000),
        ("budget: 300k RMB", 300_000),
        ("Our budget is USD 50,000.", 50_000),
        ("Budget between $20k and $30k", 30_000),
        ("Budget thirty thousand dollars", 30_000),
        ("预算：抖音20万，小红书10万", 300_000),
        ("原预算50万砍到35万", 350_000),
        ("| 总预算 | 120万 |", 1_200_000),
        ("## 预算\n15万", 150_000),
        ("目标GMV 500万", None),
        ("粉丝50万以上", None),
        ("千万不要拖", None),
    ],
)
def test_budgets(text: str, value: float | None) -> None:
    assert read(text, "budget") == value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("总预算30万，单个达人不超过2万", "max_price_per_kol", 20_000),
        ("max $3,000 per creator, $40k in total", "max_price_per_kol", 3_000),
        ("每条5000元以内", "max_price_per_kol", 5_000),
        ("3千/人", "max_price_per_kol", 3_000),
        ("找10位美妆达人", "kols_wanted", 10),
        ("达人8-10个", "kols_wanted", 10),
        ("a dozen creators", "kols_wanted", 12),
        ("头部2位、腰部8位、尾部20位", "kols_wanted", 30),
        ("上次合作了10位达人", "kols_wanted", None),
        ("粉丝10万以上", "min_followers", 100_000),
        ("粉丝5万-20万", "min_followers", 50_000),
        ("百万粉以上的博主", "min_followers", 1_000_000),
        ("粉丝50万以下", "min_followers", None),
        ("no one under 30k followers", "min_followers", 30_000),
        ("腰部达人为主", "min_followers", 100_000),
        ("售价299元", "product_price", 299),
        ("日常价129，活动价99", "product_price", 99),
        ("It retails at $28.50", "product_price", 28.5),
        ("毛利60%", "gross_margin", 0.6),
        ("毛利约六成", "gross_margin", 0.6),
        ("佣金20%", "gross_margin", None),
    ],
)
def test_numbers_go_where_the_words_around_them_say(text: str, field: str, value: object) -> None:
    assert read(text, field) == value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("投抖音和小红书，不投快手", ("douyin", "xiaohongshu")),
        ("快手先不做，只做B站", ("bilibili",)),
        ("不仅投抖音", ("douyin",)),
        ("去年在快手投过，这次上视频号", ("wechat_channels",)),
        ("TikTok and IG, no YouTube", ("tiktok", "instagram")),
        ("nothing on TikTok, Instagram or YouTube; Weibo only", ("weibo",)),
        ("creators on RED", ("xiaohongshu",)),
        ("red shoes", None),
        ("微信联系我", None),
    ],
)
def test_platforms_that_are_refused_or_past_are_left_out(text: str, names: object) -> None:
    assert read(text, "platforms") == names


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("以种草为主，兼顾转化", "seeding"),
        ("核心目标：转化，其次是品牌曝光", "conversion"),
        ("Objective: awareness; secondary: sales", "awareness"),
        ("重点看互动率", "engagement"),
        ("参与产品共创", None),
    ],
)
def test_the_main_goal(text: str, goal: str | None) -> None:
    assert read(text, "goal") == goal


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("投放时间：7月1日-7月20日", date(2026, 7, 1), date(2026, 7, 20)),
        ("7.1-7.20上线", date(2026, 7, 1), date(2026, 7, 20)),
        ("3月1日到3月20日", date(2027, 3, 1), date(2027, 3, 20)),
        ("2026年12月20日至2027年1月10日", date(2026, 12, 20), date(2027, 1, 10)),
        ("12月20日至1月10日", date(2026, 12, 20), date(2027, 1, 10)),
        ("8月中旬到9月上旬", date(2026, 8, 11), date(2026, 9, 10)),
        ("618期间", date(2026, 6, 1), date(2026, 6, 20)),
        ("双11", date(2026, 11, 1), date(2026, 11, 11)),
        ("going live mid July", date(2026, 7, 11), date(2026, 7, 20)),
        ("in Q3", date(2026, 7, 1), date(2026, 9, 30)),
        ("from Sept 8 to Oct 3", date(2026, 9, 8), date(2026, 10, 3)),
        ("下个月发布", date(2026, 6, 1), date(2026, 6, 30)),
        ("6月15日前完成", None, date(2026, 6, 15)),
        ("提报截止：7月20日", None, None),
        ("2月30日", None, None),
        ("预算520元", None, None),
    ],
)
def test_dates(text: str, first: date | None, last: date | None) -> None:
    assert (read(text, "starts_at"), read(text, "ends_at")) == (first, last)


@pytest.mark.parametrize(
    ("text", "field", "mix"),
    [
        ("女性占比80%", "audience_gender", {"female": 0.8, "male": 0.2}),
        ("女性为主", "audience_gender", {"female": 0.8, "male": 0.2}),
        ("目标人群：女性", "audience_gender", {"female": 1.0}),
        ("男女不限", "audience_gender", None),
        ("女装新品", "audience_gender", None),
        ("18-24岁", "audience_age", {"18-24": 1.0}),
        ("women 25-44", "audience_age", {"25-34": 0.5, "35-44": 0.5}),
        ("18-24岁占60%", "audience_age", {"18-24": 0.6}),
        ("工期20-30天", "audience_age", None),
        ("人群在北上广深", "audience_region", {"CN-BJ": 0.25, "CN-GD": 0.5, "CN-SH": 0.25}),
        ("意大利进口，总部在北京", "audience_region", None),
        ("tell us more", "audience_region", None),
        ("women in the US", "audience_region", {"US": 1.0}),
        ("三四线城市", "audience_city_tier", {"tier3+": 1.0}),
        ("一线品牌", "audience_city_tier", None),
    ],
)
def test_audiences(text: str, field: str, mix: object) -> None:
    assert read(text, field) == mix


@pytest.mark.parametrize(
    ("text", "field", "names"),
    [
        ("竞品：A牌、B牌（近3个月）", "competitor_brands", ("A牌", "B牌")),
        ("别找接过珂润、芙丽芳丝的", "competitor_brands", ("珂润", "芙丽芳丝")),
        ("who have not worked with Hoka or Salomon", "competitor_brands", ("Hoka", "Salomon")),
        ("不做YouTube", "competitor_brands", None),
        ("黑名单达人：香香公主、@sweet_lab", "excluded_kols", ("香香公主", "sweet_lab")),
        ("please @ me at @brand_official", "excluded_kols", None),
        ("不能出现“最”、“第一”", "blocked_terms", ("最", "第一")),
        ("禁用词：根治、国家级", "blocked_terms", ("根治", "国家级")),
        ('never say "cure"', "blocked_terms", ("cure",)),
        ("不要夸大", "blocked_terms", None),
    ],
)
def test_what_is_ruled_out(text: str, field: str, names: object) -> None:
    assert read(text, field) == names


def test_a_guess_is_called_one_and_words_are_quoted() -> None:
    found = understand("【花西子】618小红书种草brief\n预算约20-30万，女性为主", TODAY).found
    assert found["brand_name"].value == "花西子"
    assert (found["budget"].why, found["budget"].sure) == ("range_high", False)
    assert "20-30万" in found["budget"].quotes[0]
    assert found["audience_gender"].why == "mainly"
    assert found["currency"].why == "currency"
    assert understand("目标：种草", TODAY).found["goal"].sure


def test_two_budgets_are_a_conflict() -> None:
    read = understand("总预算30万。……本次投放预算是50万", TODAY)
    (conflict,) = read.conflicts
    assert (conflict.field, read.found["budget"].value) == ("budget", 300_000)
    assert len(conflict.quotes) == 2


def test_what_is_missing_and_what_no_column_holds() -> None:
    read = understand("想在小红书种草，不要数据造假的账号，粉丝50万以下", TODAY)
    assert read.missing == ("budget", "currency", "kols_wanted")
    assert "不要数据造假的账号" in read.unplaced
    assert any("50万" in wish for wish in read.unplaced)


def test_currency_is_not_guessed_in_english_or_for_platforms_abroad() -> None:
    assert read("TikTok budget of 30,000", "currency") is None
    assert read("投TikTok，预算3万", "currency") is None
    assert read("投抖音，预算3万", "currency") == "CNY"


def test_languages_and_controls() -> None:
    assert language("小红书种草 kol brief") == "zh"
    assert language("a brief for 抖音") == "en"
    assert clean("a\x00b\u202ec\r\nd") == "abc\nd"


_PARTS = st.sampled_from(
    [
        *(
            "预算30万，",
            "$5k per creator ",
            "不投快手",
            "7月1日-7月20日",
            "粉丝10w+",
            "竞品：A、B",
            "Q3",
        ),
        *(
            "女性80%",
            "18-30岁",
            "@name",
            "“最”",
            "售价299元",
            "毛利60%",
            "10位达人",
            "双11",
            "\n",
            "| ",
            "- ",
        ),
        *(
            "no TikTok, ",
            "by Oct 15",
            "one to two creators",
            "一线",
            "¥",
            "99999999999999999999万",
            "0",
            "-",
        ),
    ]
)
_TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(_PARTS, st.text(max_size=8)), max_size=25).map("".join),
)


def _check(read: Understood) -> None:
    briefs = to_briefs(read, "b1")
    # A currency that is not told is asked for, not made up.
    assert {f.expected for f in BRIEFS.faults(briefs)} <= {
        "a currency beside it, such as CNY, in currency"
    }
    for field in ("budget", "max_price_per_kol", "product_price", "kols_wanted", "min_followers"):
        value = briefs[field].iat[0]
        assert not (value < 0 or value > 1e11)
    assert list(read.found) == [name for name in BRIEFS.names if name in read.found]
    assert all(found.quotes or name in _UNQUOTED for name, found in read.found.items())


_UNQUOTED = {"text", "language", "currency"}


@settings(max_examples=60, deadline=None)
@given(_TEXTS)
def test_any_text_is_read_into_a_row_that_keeps_the_contract(text: str) -> None:
    _check(understand(text, TODAY))


_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) not in "@'\"<>[]"}


@settings(max_examples=40, deadline=None)
@given(st.lists(_PARTS, max_size=12).map("，".join))
def test_width_and_blanks_change_nothing(text: str) -> None:
    plain = understand(text, TODAY).found
    for other in (
        text.translate(_WIDE),
        text.replace("，", "，  "),
        text.replace("预算", "预算　"),
    ):
        same = understand(other, TODAY).found
        names = (set(plain) | set(same)) - {"text", "title", "brand_name"}
        differ = {n for n in names if _value(plain, n) != _value(same, n)}
        assert not differ


def _value(found: Any, name: str) -> object:
    return found[name].value if name in found else None
