from datetime import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.columns import EPOCH
from features.contract import SPECS
from features.errors import TableError
from features.ingest import read_folder, summary
from features.tables import Tables

KOLS = "kol_id,platform,observed_at,followers\nk1,douyin,2025-01-01,100\nk2,抖音,2025-01-02,1.2万\n"
BRIEFS = "brief_id,brand_id,text,goal\nb1,x,Serum for dry skin,种草\n"


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes files by name and gives back their folder."""
    home = tmp_path / "data"
    home.mkdir()

    def write(**files):
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            (home / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
        return home

    return write


def faults(home, mapping=None, known=None):
    with pytest.raises(TableError) as caught:
        read_folder(home, mapping, known)
    return [(f.file, f.row, f.column, f.value) for f in caught.value.faults]


def expected(home, mapping=None):
    with pytest.raises(TableError) as caught:
        read_folder(home, mapping)
    return [f.expected for f in caught.value.faults]


def mapping(tmp_path, text):
    path = tmp_path / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_canonical_files(folder):
    reading = read_folder(folder(kols_csv=KOLS, briefs_csv=BRIEFS))
    assert reading.tables.kols["followers"].tolist() == [100, 12_000]
    assert reading.tables.briefs["goal"].tolist() == ["seeding"]
    assert [len(frame) for _, frame in reading.tables] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    for name, frame in reading.tables:
        assert frame.dtypes.equals(SPECS[name].empty().dtypes)


def test_chinese_files_in_gb18030(folder):
    home = folder()
    text = (
        "达人ID,平台,采集时间,昵称,粉丝数（万）,女粉占比,备注\n"
        "007,小红书,2025年4月12日,阿美,1.2,65%,5\n"
    )
    (home / "达人.csv").write_bytes(text.encode("gb18030"))
    reading = read_folder(home)
    row = reading.tables.kols.iloc[0]
    assert (row.kol_id, row.platform, row.followers) == ("007", "xiaohongshu", 12_000)
    assert row.audience_gender == {"female": 0.65, "male": 0.35}
    assert summary(reading) == [
        {
            "table": "kols",
            "file": "达人.csv",
            "rows": 1,
            "columns": "6: 达人ID -> kol_id, 平台 -> platform, 采集时间 -> observed_at, "
            "昵称 -> display_name, 粉丝数（万） -> followers, 女粉占比 -> audience_gender.female",
            "ignored": "备注",
        }
    ]


def test_every_fault_at_once_where_the_user_finds_it(folder):
    home = folder(
        kols_csv=KOLS + 'k3,douyin,2025-01-03,"12,34"\nk4,myspace,04/05/2025,-7\nk5,douyin\n',
        posts_csv="post_id,kol_id,发布时间,observed_at,文案,播放量\n"
        'p1,k1,2025-01-01,2025-01-02,"two\nlines",10w+\n'
        "p2,k2,2025-01-01,2025-02-30,x,很多\n"
        "p1,k2,2025-01-01,2025-01-02,,\n",
    )
    assert faults(home) == [
        ("kols.csv", 4, "followers", "12,34"),
        ("kols.csv", 5, "followers", "-7"),
        ("kols.csv", 5, "observed_at", "04/05/2025"),
        ("kols.csv", 5, "platform", "myspace"),
        ("kols.csv", 6, "", "2 cells"),
        ("posts.csv", 3, "observed_at", "2025-02-30"),
        ("posts.csv", 3, "播放量", "很多"),
        ("posts.csv", 4, "post_id + observed_at", "p1, 2025-01-02 00:00:00+00:00"),
    ]


def test_rows_of_several_files_are_told_apart(folder):
    home = folder(
        kols_csv=KOLS,
        posts_1_csv="post_id,kol_id,published_at,observed_at\np1,k1,2025-01-01,2025-01-02\n",
        posts_2_csv="post_id,kol_id,published_at,observed_at\np2,k1,2025-01-01,2025-01-02\n"
        "p3,nobody,2025-01-01,2025-01-02\n",
    )
    (home / "posts_2.csv").rename(home / "posts-2024.csv")
    assert faults(home) == [("posts-2024.csv", 3, "kol_id", "nobody")]


def test_a_missing_column_is_one_fault_that_names_its_aliases(folder):
    home = folder(kols_csv=KOLS, incidents_csv="incident_id,kol_id,known_at,severity\n")
    assert faults(home) == [("incidents.csv", 0, "kind", "no column")]
    assert "事件类型" in expected(home)[0]


TEXT_ONLY = {
    "briefs_csv": "brief_id,text\nb1,Serum for dry skin\nb2,跑鞋\n",
    "kols_csv": "kol_id,bio\nk1,skincare\nk2,\n",
    "posts_csv": "post_id,kol_id,text\np1,k1,my skin barrier\n",
    "judgments_csv": "brief_id,kol_id,grade\nb1,k1,4\nb2,k1,0\n",
}


def test_text_and_grades_are_enough(folder):
    reading = read_folder(folder(**TEXT_ONLY))
    tables = reading.tables
    assert tables.briefs["brand_id"].tolist() == ["b1", "b2"]
    assert tables.briefs["goal"].isna().all()
    assert tables.kols["platform"].isna().all()
    for times in (
        tables.kols["observed_at"],
        tables.posts["published_at"],
        tables.posts["observed_at"],
    ):
        assert (times == EPOCH).all()
    assert tables.judgments["judge"].tolist() == ["one", "one"]
    assert tables.judgments["judged_at"].isna().all()
    assert reading.notes == (
        "briefs.csv: no brand_id, so the brand's name stands for it, and without one each brief "
        "is a brand's own",
        "judgments.csv: no judge, so all grades are one judge's",
        "kols.csv: no observed_at, so rows count as known at any time",
        "posts.csv: no observed_at, so posts count as known once published",
        "posts.csv: no published_at, so rows count as known at any time",
    )
    for name, frame in tables:
        assert frame.dtypes.equals(SPECS[name].empty().dtypes)


def test_posts_without_a_time_of_observation_are_known_once_published(folder):
    posts = "post_id,kol_id,published_at,text\np1,k1,2025-03-01,skin\n"
    tables = read_folder(folder(**TEXT_ONLY | {"posts_csv": posts})).tables
    assert tables.posts["observed_at"].tolist() == [pd.Timestamp("2025-03-01", tz="UTC")]


def test_a_brands_name_stands_for_its_id(folder):
    briefs = "brief_id,brand_name,text\nb1,Acme,Serum\nb2,,Shoes\n"
    tables = read_folder(folder(**TEXT_ONLY | {"briefs_csv": briefs})).tables
    assert tables.briefs["brand_id"].tolist() == ["Acme", "b2"]


def test_a_header_above_empty_cells_is_no_column(folder):
    kols = "kol_id,observed_at,bio\nk1,,skincare\nk2, ,\n"
    tables = read_folder(folder(**TEXT_ONLY | {"kols_csv": kols})).tables
    assert (tables.kols["observed_at"] == EPOCH).all()


@pytest.mark.parametrize("cell", ["", "soon"])
def test_a_column_that_is_there_needs_a_value_in_every_row(folder, cell):
    kols = f"kol_id,observed_at\nk1,2025-01-01\nk2,{cell}\n"
    home = folder(**TEXT_ONLY | {"kols_csv": kols})
    assert faults(home) == [("kols.csv", 3, "observed_at", cell)]


def test_two_grades_of_a_pair_need_judges(folder):
    judgments = "brief_id,kol_id,grade\nb1,k1,4\nb1,k1,0\n"
    home = folder(**TEXT_ONLY | {"judgments_csv": judgments})
    assert [f[:3] for f in faults(home)] == [("judgments.csv", 3, "brief_id + kol_id + judge")]


COLLABORATION = {
    "collaborations_csv": "collaboration_id,brief_id,kol_id,status,shown_at\n"
    "c1,b1,k1,shown,2025-02-01\n"
}


def test_where_there_are_collaborations_times_are_needed(folder):
    home = folder(**TEXT_ONLY, **COLLABORATION)
    assert faults(home) == [
        ("kols.csv", 0, "observed_at", "no column"),
        ("posts.csv", 0, "observed_at", "no column"),
        ("posts.csv", 0, "published_at", "no column"),
    ]
    assert "what was known before them" in expected(home)[0]


def test_times_are_needed_beside_stored_collaborations_and_missed_by_later_ones(folder):
    kol = {"kol_id": ["k1", "k2"], "platform": "douyin"}
    brief = {"brief_id": ["b1", "b2"], "text": "t"}
    timeless = Tables.of(kols=pd.DataFrame(kol), briefs=pd.DataFrame(brief))
    home = folder(**COLLABORATION)
    assert "collaborations: KOLs stored without observed_at count as known before them" in (
        read_folder(home, known=timeless).notes
    )
    (home / "collaborations.csv").unlink()
    home = folder(kols_csv=TEXT_ONLY["kols_csv"])
    done = timeless.replace(
        collaborations=Tables.of(
            collaborations=pd.DataFrame(
                {
                    "collaboration_id": ["c1"],
                    "brief_id": "b1",
                    "kol_id": "k1",
                    "status": "shown",
                    "shown_at": EPOCH,
                }
            )
        ).collaborations
    )
    assert faults(home, known=done) == [("kols.csv", 0, "observed_at", "no column")]


def test_two_columns_for_one_are_a_fault(folder):
    home = folder(
        kols_csv=KOLS.replace("followers", "followers,粉丝数").replace(",100", ",100,100")
    )
    assert ("kols.csv", 1, "粉丝数", "followers and 粉丝数") in faults(home)


def test_two_columns_for_one_interest_are_added_up(folder):
    text = "kol_id,platform,observed_at,粉丝兴趣旅游,粉丝兴趣出行\nk1,douyin,2025-01-01,10%,5%\n"
    kols = read_folder(folder(kols_csv=text)).tables.kols
    assert kols["audience_interest"].tolist() == [{"travel": 0.15}]


def test_references_need_a_table_to_lead_to(folder):
    posts = "post_id,作者ID,published_at,observed_at\n" + "p,k,2025-01-01,2025-01-02\n" * 1
    home = folder(posts_csv=posts)
    assert faults(home) == [("posts.csv", 0, "作者ID", "no kols")]
    known = Tables.of(
        kols=pd.DataFrame({"kol_id": ["k"], "platform": ["douyin"], "observed_at": [EPOCH]})
    )
    assert len(read_folder(home, known=known).tables.posts) == 1


@pytest.mark.parametrize(
    ("price", "currency", "read"),
    [
        ("¥3,000", "", "CNY"),
        ("¥3,000", "JPY", "JPY"),
        ("3000元", "人民币", "CNY"),
        ("$5", "HKD", "HKD"),
        ("5", "usd", "USD"),
        ("139,000₫", "", "VND"),
    ],
)
def test_currency_from_the_amount(folder, price, currency, read):
    rates = f'kol_id,mode,quoted_at,price,currency\nk1,直播,2025-01-01,"{price}",{currency}\n'
    assert read_folder(folder(kols_csv=KOLS, rates_csv=rates)).tables.rates[
        "currency"
    ].tolist() == [read]


def test_currencies_that_contradict_or_lack(folder):
    home = folder(
        kols_csv=KOLS,
        rates_csv="kol_id,mode,quoted_at,报价,币种\nk1,直播,2025-01-01,$5,CNY\n"
        "k1,直播,2025-01-02,5,\nk1,直播,2025-01-03,5,shells\n",
    )
    assert faults(home) == [
        ("rates.csv", 2, "报价", "$5"),
        ("rates.csv", 3, "币种", ""),
        ("rates.csv", 3, "报价", "5"),
        ("rates.csv", 4, "币种", "shells"),
    ]


def test_a_currency_in_no_row_is_one_fault(folder):
    collaborations = (
        "collaboration_id,brief_id,kol_id,status,shown_at,cost\n"
        "c1,b1,k1,signed,2025-01-01,5\nc2,b1,k2,signed,2025-01-01,5\n"
    )
    home = folder(kols_csv=KOLS, briefs_csv=BRIEFS, collaborations_csv=collaborations)
    assert faults(home) == [("collaborations.csv", 0, "currency", "no column")]


def test_the_currency_may_stand_in_the_header(folder):
    rates = "kol_id,mode,quoted_at,报价(万元)\nk1,直播,2025-01-01,1.5\n"
    rates = read_folder(folder(kols_csv=KOLS, rates_csv=rates)).tables.rates
    assert rates[["price", "currency"]].values.tolist() == [[15_000, "CNY"]]


def test_workbooks_feed_tables_by_sheet(folder):
    home = folder()
    book = openpyxl.Workbook()
    page = book.active
    page.title = "达人"
    page.append(["达人ID", "平台", "采集时间", "活跃粉丝占比", "粉丝数"])
    page.append([7, "抖音", datetime(2025, 4, 12), 0.12, 10**16])
    page["D2"].number_format = "0%"
    page = book.create_sheet("报价")
    page.append(["达人ID", "合作方式", "报价时间", "报价", "币种"])
    page.append(["7", "直播", datetime(2025, 4, 12), 1.125, "CNY"])
    book.create_sheet("说明").append(["anything"])
    book.save(home / "roster.xlsx")
    reading = read_folder(home)
    kol = reading.tables.kols.iloc[0]
    assert (kol.kol_id, kol.active_follower_share) == ("7", 0.12)
    assert kol.followers == 10**16
    assert kol.observed_at == pd.Timestamp("2025-04-12", tz="UTC")
    # In text 1.125 could be a thousand; a number cell is a number.
    assert reading.tables.rates["price"].tolist() == [1.125]
    assert [s.file for s in reading.sources] == ["roster.xlsx [达人]", "roster.xlsx [报价]"]
    assert reading.notes == (
        "roster.xlsx [说明]: not read, since its name says no table",
        "no briefs: matching needs them",
    )


def test_ids_that_a_workbook_rounded_and_cells_in_error_are_refused(folder):
    home = folder()
    book = openpyxl.Workbook()
    book.active.append(["kol_id", "platform", "observed_at", "followers", "remark"])
    book.active.append([10**18, "抖音", datetime(2025, 4, 12), 5, "#N/A"])
    book.active.append(["k", "抖音", datetime(2025, 4, 12), "#N/A", None])
    book.save(home / "kols.xlsx")
    assert faults(home) == [
        ("kols.xlsx [Sheet]", 2, "kol_id", str(10**18)),
        ("kols.xlsx [Sheet]", 3, "followers", "#N/A"),
    ]
    assert "as text" in expected(home)[0]


def test_parquet_round_trip(folder):
    home = folder(kols_csv=KOLS, briefs_csv=BRIEFS)
    first = read_folder(home).tables
    for name in ("kols", "briefs"):
        frame = getattr(first, name)
        # Parquet has no structures without fields.
        frame = frame.drop(columns=[c for c in frame if c.startswith("audience_")])
        frame.to_parquet(home / f"{name}.parquet")
        (home / f"{name}.csv").unlink()
    again = read_folder(home).tables
    for name in ("kols", "briefs"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))


def test_wide_mixes_and_vectors(folder):
    home = folder(
        kols_csv="kol_id,platform,observed_at,audience_gender.female,粉丝年龄18-24,粉丝年龄>44\n"
        "k1,douyin,2025-01-01,65%,20%,-\nk2,douyin,2025-01-01,,,\n",
        vectors_csv="owner,id,space,v0,v1\nkol,k1,topic,0.5,1\n",
    )
    reading = read_folder(home)
    assert reading.tables.kols["audience_gender"].tolist() == [{"female": 0.65, "male": 0.35}, {}]
    assert reading.tables.kols["audience_age"].tolist() == [{"18-24": 0.2}, {}]
    vector = reading.tables.vectors.iloc[0]
    assert vector.vector.dtype == np.float32
    assert vector.vector.tolist() == [0.5, 1]
    assert vector.observed_at == EPOCH
    assert "known at any time" in reading.notes[0]


def test_wide_cells_are_refused_by_their_own_header(folder):
    home = folder(
        kols_csv="kol_id,platform,observed_at,女粉占比,男粉占比\nk1,douyin,2025-01-01,65.37,34%\n",
        vectors_csv="owner,id,space,v0,v1\nkol,k1,topic,0.5,\nkol,k2,topic,x,1\n",
    )
    assert faults(home) == [
        ("kols.csv", 2, "女粉占比", "65.37"),
        ("vectors.csv", 2, "v1", ""),
        ("vectors.csv", 3, "v0", "x"),
    ]


def test_spaces_that_bear_the_name_of_our_own_signals_are_refused(folder):
    rows = [f"kol,k1,{space},0.5,1" for space in ("topic", "posts", "mean", "max", "Mean")]
    home = folder(
        kols_csv="kol_id,platform,observed_at\nk1,douyin,2025-01-01\n",
        向量_csv="\n".join(["owner,id,空间,v0,v1", *rows]) + "\n",
    )
    with pytest.raises(TableError, match=r"other than max, mean and posts.*give it another name"):
        read_folder(home)
    assert faults(home) == [
        ("向量.csv", 3, "空间", "posts"),
        ("向量.csv", 4, "空间", "mean"),
        ("向量.csv", 5, "空间", "max"),
    ]


def test_names_that_say_two_tables_or_none(folder):
    home = folder(kols_csv=KOLS, readme_csv="a\n1\n")
    assert "readme.csv: not read, since its name says no table" in read_folder(home).notes
    (home / "readme.csv").rename(home / "报价 笔记.csv")
    assert faults(home) == [("报价 笔记.csv", 0, "", "posts or rates")]


def test_a_folder_without_tables(folder):
    assert faults(folder(readme_csv="a\n1\n")) == [("", 0, "", "readme.csv")]
    with pytest.raises(FileNotFoundError):
        read_folder(folder() / "nowhere")


def test_header_only_and_empty_files(folder):
    home = folder(kols_csv=KOLS.splitlines()[0] + "\n", posts_csv="")
    reading = read_folder(home)
    assert len(reading.tables.kols) == 0
    assert reading.notes == (
        "posts.csv: empty",
        "no briefs: matching needs them",
        "no kols: matching needs them",
    )


def test_lists_of_names_that_nobody_bears_are_noted(folder):
    briefs = (
        "brief_id,brand_id,brand_name,text,goal,excluded_kols,competitor_brands\n"
        "b1,acme,Acme,t,seeding,k1;小李,acme\n"
        "b2,lux,Lux,t,seeding,K1;王五,Acme;欧莱雅\n"
    )
    kols = "kol_id,observed_at,platform,display_name\nk1,2025-01-01,douyin,小李\n"
    assert read_folder(folder(briefs_csv=briefs, kols_csv=kols)).notes == (
        "briefs, excluded_kols: no KOL has this id or name: K1, 王五",
        "briefs, competitor_brands: no brand has this id or name: 欧莱雅",
    )


MAPPING = """
timezone = "Asia/Shanghai"

[[table]]
name = "kols"
file = "creators*.csv"
normalise = ["audience_age"]
[table.columns]
kol_id = "who"
platform = { value = "小红书" }
observed_at = { column = "ms", unit = "ms" }
bio = ["one", "two"]
audience_age.18-24 = { column = "young", unit = "percent" }
audience_age.">44" = { column = "old", unit = "percent" }

[[table]]
name = "rates"
file = "creators.csv"
skip_if_null = ["price"]
[table.columns]
kol_id = "who"
mode = { value = "广告植入" }
quoted_at = { value = 2025-01-01 }
price = { column = "cost", currency = "CNY" }
"""
CREATORS = (
    "who,ms,one,two,young,old,cost,粉丝数\n"
    "k1,1741279037000,a,b,60,43,30,1w\n"
    "k2,1741279037000,,c,,,-,2w\n"
)


def test_a_mapping(folder, tmp_path):
    reading = read_folder(folder(creators_csv=CREATORS), mapping(tmp_path, MAPPING))
    kols, rates = reading.tables.kols, reading.tables.rates
    assert kols["platform"].tolist() == ["xiaohongshu"] * 2
    assert kols["observed_at"].tolist() == [pd.Timestamp("2025-03-06 16:37:17", tz="UTC")] * 2
    assert kols["bio"].tolist() == ["a\nb", "c"]
    assert kols["followers"].tolist() == [10_000, 20_000]  # found by its header all the same
    assert sum(kols["audience_age"][0].values()) == pytest.approx(1)
    assert rates[["kol_id", "price", "currency"]].values.tolist() == [["k1", 30, "CNY"]]
    assert rates["quoted_at"].tolist() == [pd.Timestamp("2024-12-31 16:00", tz="UTC")]
    assert "audience_age was scaled" in reading.notes[0]


def test_faults_under_a_mapping(folder, tmp_path):
    home = folder(creators_csv=CREATORS.replace(",30,", ",很贵,").replace("1w", "1x"))
    assert faults(home, mapping(tmp_path, MAPPING)) == [
        ("creators.csv", 2, "cost", "很贵"),
        ("creators.csv", 2, "粉丝数", "1x"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ('name = "kols"', 'name = "kol"', "table.1.name", "'briefs', 'kols'"),
        ("normalise", "normalize", "table.1.normalize", "skip_if_null"),
        ('kol_id = "who"', 'kolid = "who"', "columns.kolid", "kol_id, observed_at"),
        ('"ms", unit = "ms"', '"ms", unit = "days"', "columns.observed_at.unit", "one of s, ms"),
        ('"ms", unit', '"ms", units', "table.1.columns.observed_at.units", "separator"),
        ('value = "小红书"', 'value = "x", column = "y"', "table.1.columns.platform", "either"),
        ("Asia/Shanghai", "Shanghai", "timezone", "Asia/Shanghai"),
        ("audience_age.18-24", "audience_age.young", "columns.audience_age.young", "a part"),
        ('["price"]', '["prize"]', "skip_if_null", "price"),
        ('normalise = ["audience_age"]', 'normalise = ["bio"]', "normalise", "shares by name"),
        ('kol_id = "who"', 'kol_id = ["who", "one"]', "columns.kol_id", "only text"),
        ('"CNY"', '"RMB"', "table.2.columns.price.currency", "ISO 4217"),
        ('timezone = "', 'timezone = ', "", "TOML"),
        ('column = "young"', 'column = "younger"', "columns.audience_age.18-24", "young, old"),
        ("creators*.csv", "creator-*.csv", "file", "creators.csv"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_told_in_words(folder, tmp_path, old, new, place, words):
    path = mapping(tmp_path, MAPPING.replace(old, new, 1))
    with pytest.raises(TableError) as caught:
        read_folder(folder(creators_csv=CREATORS), path)
    fault = next(f for f in caught.value.faults if f.file == "map.toml")
    assert fault.column == place
    assert words in fault.expected


def test_a_constant_that_is_wrong_is_one_fault(folder, tmp_path):
    path = mapping(tmp_path, MAPPING.replace("小红书", "my space"))
    assert faults(folder(creators_csv=CREATORS), path) == [
        ("creators.csv", 0, "platform", "my space")
    ]


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",))
    | st.sampled_from('0123456789,.-:/%¥"\n{[;'),
    max_size=20,
)


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.sampled_from(list(SPECS.values())).flatmap(
        lambda spec: st.tuples(
            st.just(spec.name),
            st.lists(st.tuples(*[CELLS] * len(spec.names)), min_size=1, max_size=2),
        )
    )
)
def test_any_cells_are_read_or_refused_by_a_table_error(tmp_path, case):
    name, rows = case
    for old in tmp_path.iterdir():
        old.unlink()
    frame = pd.DataFrame(rows, columns=SPECS[name].names, dtype="str")
    frame.to_csv(tmp_path / f"{name}.csv", index=False)
    frame.to_parquet(tmp_path / f"{name}_more.parquet")
    try:
        read_folder(tmp_path)
    except TableError as error:
        assert {fault.file for fault in error.faults} <= {f"{name}.csv", f"{name}_more.parquet"}
    else:
        assert name in SPECS


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.lists(
        st.sampled_from(["NA", "null", "None", "007", "60e12345", "nan", "-", "1.0", "1e5", "无"])
        | st.integers(0, 10**19).map(str),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_ids_reach_the_tables_unchanged_from_any_format(tmp_path, ids):
    frame = pd.DataFrame(
        {"kol_id": ids, "platform": "douyin", "observed_at": "2025-01-01"}, dtype="str"
    )
    book = openpyxl.Workbook()
    for row in (frame.columns.tolist(), *frame.values.tolist()):
        book.active.append(row)
        for cell in book.active[book.active.max_row]:
            cell.data_type = "s"
    for suffix, save in (
        ("csv", lambda path: frame.to_csv(path, index=False)),
        ("parquet", frame.to_parquet),
        ("xlsx", book.save),
    ):
        path = tmp_path / f"kols.{suffix}"
        save(path)
        assert read_folder(tmp_path).tables.kols["kol_id"].tolist() == ids
        path.unlink()


def test_the_last_day_of_a_quote_or_campaign_counts_to_its_end(folder):
    kols = "kol_id,observed_at,platform\nk1,2025-01-01,douyin\n"
    rates = (
        "kol_id,mode,quoted_at,price,currency,valid_until\n"
        "k1,sponsorship,2025-04-01,100,CNY,2025年4月12日\n"
        "k1,ad_placement,2025-04-01,100,CNY,2025-04-12 09:00\n"
    )
    read = read_folder(folder(kols_csv=kols, rates_csv=rates)).tables.rates
    assert read["quoted_at"].iloc[0] == pd.Timestamp("2025-04-01", tz="UTC")
    assert read["valid_until"].tolist() == [
        pd.Timestamp("2025-04-12 23:59:59.999999", tz="UTC"),
        pd.Timestamp("2025-04-12 09:00", tz="UTC"),
    ]
