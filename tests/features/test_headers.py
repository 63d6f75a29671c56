import pytest

from features.contract import SPECS
from features.headers import aliases, tables_named, understand


def names(table: str, *headers: str) -> list[str]:
    return [entry.name for entry in understand(headers, SPECS[table])]


@pytest.mark.parametrize("table", SPECS)
def test_canonical_names_always_hold(table):
    assert names(table, *SPECS[table].names) == SPECS[table].names


@pytest.mark.parametrize("table", SPECS)
def test_no_alias_means_two_columns_of_a_table(table):
    for column in SPECS[table].names:
        own = [alias for alias in aliases(SPECS[table], column) if names(table, alias) != [column]]
        # 描述 and the like have another meaning in some tables, told by those tables themselves.
        assert all(alias in aliases(SPECS[table], names(table, alias)[0]) for alias in own)
        assert column not in own


@pytest.mark.parametrize(
    ("table", "header", "name"),
    [
        ("kols", "粉丝数", "followers"),
        ("kols", " 粉丝数 ", "followers"),
        ("kols", "Kol_ID", "kol_id"),
        ("kols", "KOL ID", "kol_id"),
        ("posts", "播放量", "views"),
        ("posts", "笔记ID", "post_id"),
        ("rates", "报价", "price"),
        ("briefs", "平台", "platforms"),
        ("kols", "平台", "platform"),
        ("kols", "audience_gender.female", "audience_gender.female"),
        ("kols", "audience_age.18-24", "audience_age.18-24"),
        ("kols", "audience_region.somewhere", "audience_region.somewhere"),
        ("kols", "粉丝女性比例", "audience_gender.female"),
        ("kols", "粉丝年龄18-24", "audience_age.18-24"),
        ("kols", "粉丝年龄<18", "audience_age.0-17"),
        ("kols", "粉丝年龄>44占比", "audience_age.45+"),
        ("kols", "粉丝年龄分布", "audience_age"),
        ("kols", "粉丝地域分布", "audience_region"),
        ("kols", "粉丝兴趣美食", "audience_interest.food"),
        ("vectors", "v0", "vector.0"),
        ("vectors", "vector.12", "vector.12"),
    ],
)
def test_what_people_call_columns(table, header, name):
    assert names(table, header) == [name]


@pytest.mark.parametrize(
    "header", ["QQ", "", "粉丝地域Top5", "粉丝年龄均值", "v0", "followers.x", "粉丝数(x)"]
)
def test_other_headers_mean_nothing(header):
    assert names("kols", header) == []


@pytest.mark.parametrize(
    ("table", "header", "unit", "currency"),
    [
        ("kols", "粉丝数（万）", "万", ""),
        ("kols", "粉丝数(人)", "", ""),
        ("kols", "活跃粉丝占比(%)", "percent", ""),
        ("kols", "粉丝女性比例（%）", "percent", ""),
        ("rates", "报价(元)", "", "CNY"),
        ("rates", "报价【万元】", "万", "CNY"),
        ("rates", "price (USD)", "", "USD"),
        ("posts", "发布时间(ms)", "ms", ""),
        ("posts", "时长(秒)", "", ""),
    ],
)
def test_units_in_headers(table, header, unit, currency):
    (entry,) = understand([header], SPECS[table])
    assert (entry.style.unit, entry.style.currency) == (unit, currency)
    assert entry.headers == (header,)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("briefs", ("briefs",)),
        ("KOLs", ("kols",)),
        ("posts_2024", ("posts",)),
        ("posts-01", ("posts",)),
        ("2025年达人名单", ("kols",)),
        ("品牌达人报价表", ("rates",)),
        ("合作效果", ("outcomes",)),
        ("笔记", ("posts",)),
        ("kol_rates", ("rates",)),
        ("my kols and posts", ("kols", "posts")),
        ("报价和笔记", ("posts", "rates")),
        ("readme", ()),
        ("", ()),
    ],
)
def test_tables_by_name(name, tables):
    assert tables_named(name) == tables
