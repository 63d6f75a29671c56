"""Drafts: a row that ingest reads back, with nothing in it that runs."""

from datetime import date
from pathlib import Path
from typing import Literal

import openpyxl
import pandas as pd
import pytest

from features.brieftext.draft import brand_id_of, is_decided, to_briefs, write_draft
from features.brieftext.reader import understand
from features.contract import BRIEFS
from features.errors import UserError
from features.ingest import read_folder

TODAY = date(2026, 5, 6)
TEXT = """【花西子】618小红书种草brief
品牌：花西子
产品：蜜粉饼，售价169元，毛利约六成
预算：总预算不超过30万，单个达人不超过2万
平台：小红书为主，抖音辅助
合作形式：共创、抽奖
目标：种草为主
达人：10-15位腰部美妆博主，粉丝10万以上
人群：18-30岁女性，对美妆、护肤感兴趣，江浙沪，一二线城市
时间：6月1日-6月20日
竞品：完美日记、橘朵
黑名单达人：香香公主
不能出现“最”、“第一”"""


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_ingest_reads_a_draft_back_whole(
    tmp_path: Path, suffix: str, language: Literal["zh", "en"]
) -> None:
    briefs = to_briefs(understand(TEXT, TODAY), "007")
    write_draft(briefs, tmp_path / f"brief_huaxizi.{suffix}", language)
    reading = read_folder(tmp_path)
    pd.testing.assert_frame_equal(reading.tables.briefs, briefs)
    assert all(not source.ignored for source in reading.sources)
    assert briefs["starts_at"].iat[0] == pd.Timestamp("2026-06-01", tz="UTC")
    assert briefs["ends_at"].iat[0] == pd.Timestamp("2026-06-21", tz="UTC") - pd.Timedelta(1, "us")
    filled = [c.name for c in BRIEFS.columns if len(str(briefs[c.name].iat[0])) > 3]
    assert len(filled) > 20


MALICIOUS = (
    '=HYPERLINK("http://x","a")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "-2+3",
    "＝1+1",
    "\t=1",
    "<script>alert(1)</script>",
    "\u202e\u200b\x00\x07=1",
)


@pytest.mark.parametrize("text", MALICIOUS)
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_nothing_in_a_draft_is_a_formula(tmp_path: Path, text: str, suffix: str) -> None:
    brief = understand(f"{text}\n品牌：{text}\n项目：{text}\n竞品：{text}、B\n预算30万", TODAY)
    path = tmp_path / f"brief.{suffix}"
    write_draft(to_briefs(brief, text.strip() or "x"), path, "zh")
    if suffix == "xlsx":
        sheet = openpyxl.load_workbook(path).active
        cells = [cell for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n"}
        assert all(cell.hyperlink is None for cell in cells)
        return
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for cell in frame.iloc[0]:
        assert not cell.lstrip("\u202e\u200b\x00\x07 \t").startswith(("=", "+", "-", "@", "＝"))


def test_names_of_drafts(tmp_path: Path) -> None:
    briefs = to_briefs(understand("预算30万", TODAY), "b1")
    with pytest.raises(UserError, match=r"such as brief_spring\.csv"):
        write_draft(briefs, tmp_path / "spring.csv", "en")
    with pytest.raises(UserError, match=r"expected a draft as \.csv or \.xlsx"):
        write_draft(briefs, tmp_path / "brief.toml", "en")
    write_draft(briefs, tmp_path / "spring.xlsx", "en")
    assert read_folder(tmp_path).tables.briefs["brief_id"].tolist() == ["b1"]


def test_a_brand_is_known_by_its_name() -> None:
    briefs = pd.DataFrame(
        {"brand_id": ["1", "1", "2", "3"], "brand_name": ["花西子", "花西子", "Ａ牌", "Ａ牌"]}
    )
    assert brand_id_of("花西子", briefs) == "1"
    assert brand_id_of("A牌", briefs) is None
    assert brand_id_of("B", briefs) is None


def test_whether_a_stored_brief_was_decided() -> None:
    day = pd.Timestamp("2026-01-01", tz="UTC")
    briefs = pd.DataFrame({"brief_id": ["a", "b"], "decided_at": [day, pd.NaT]})
    assert [is_decided(name, briefs) for name in "abc"] == [True, False, None]
