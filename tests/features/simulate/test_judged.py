from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.ingest import read_folder
from features.simulate import JudgedSet, judged_set
from features.simulate.judged import COLUMNS
from features.tables import Tables, link_faults


@pytest.fixture(scope="module")
def made() -> JudgedSet:
    return judged_set(briefs=40, kols=150, seed=2)


def test_same_seed_makes_the_same_set(made: JudgedSet):
    again, other = (judged_set(briefs=40, kols=150, seed=seed) for seed in (2, 3))
    for (name, a), (_, b) in zip(made.tables, again.tables, strict=True):
        assert_frame_equal(a, b, obj=name)
    for name in COLUMNS:
        assert not getattr(made.tables, name).equals(getattr(other.tables, name)), name


def test_tables_keep_the_contract_and_tell_text_and_grades_alone(made: JudgedSet):
    Tables.of(**dict(made.tables))
    assert link_faults(made.tables) == []
    assert [name for name, frame in made.tables if len(frame)] == list(COLUMNS)
    assert made.tables.judgments["judged_at"].isna().all()
    assert made.tables.briefs["goal"].isna().all()
    assert set(made.tables.judgments["grade"]) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_texts_are_of_both_languages_and_varied(made: JudgedSet):
    for texts in (made.tables.briefs["text"], made.tables.posts["text"]):
        chinese = texts.str.contains(r"[\u4e00-\u9fff]").mean()
        assert 0.3 < chinese < 0.9
    assert made.tables.briefs["text"].is_unique
    assert made.tables.posts["text"].nunique() / len(made.tables.posts) > 0.7


def test_grades_follow_the_truth_with_doubt(made: JudgedSet):
    judgments = made.tables.judgments
    truth = made.truth(judgments)
    assert truth.between(0, 4).all()
    assert 0.8 < truth.corr(judgments["grade"]) < 0.98
    pairs = judgments.groupby(["brief_id", "kol_id"])["grade"]
    assert 0.2 < (pairs.size() == 2).mean() < 0.4
    assert (pairs.nunique() > 1).any()  # judges differ


def test_judges_see_more_than_the_subject(made: JudgedSet):
    """KOLs who post the same again are liked less, which no likeness of texts tells."""
    posts = made.tables.posts
    distinct = posts.groupby("kol_id")["text"].nunique() / posts.groupby("kol_id").size()
    grades = made.tables.judgments.groupby("kol_id")["grade"].mean()
    assert grades.corr(distinct.reindex(grades.index)) > 0.2


def test_written_files_read_back_as_the_same_tables(made: JudgedSet, tmp_path: Path):
    files = made.write(tmp_path)
    assert [file.name for file in files] == [f"{name}.csv" for name in COLUMNS]
    assert list(pd.read_csv(tmp_path / "judgments.csv")) == COLUMNS["judgments"]
    for (name, frame), (_, read) in zip(made.tables, read_folder(tmp_path).tables, strict=True):
        assert_frame_equal(frame, read, obj=name)


def test_the_truth_is_of_pairs_in_the_set(made: JudgedSet):
    pairs = pd.DataFrame({"brief_id": ["b00002", "b00001"], "kol_id": "k000007"}, index=[5, 3])
    truth = made.truth(pairs)
    assert truth.index.tolist() == [5, 3]
    assert np.array_equal(made.truth(pairs.iloc[::-1]), truth.iloc[::-1])
    with pytest.raises(ValueError, match="not in this set"):
        made.truth(pairs.assign(kol_id="nobody"))


@pytest.mark.parametrize("argument", [{"briefs": 0}, {"kols": 29}, {"seed": -1}])
def test_arguments_out_of_range_are_refused(argument: dict[str, int]):
    with pytest.raises(ValueError, match=f"Got {next(iter(argument))}="):
        judged_set(**argument)


def test_the_smallest_set_keeps_the_contract():
    small = judged_set(briefs=1, kols=30, seed=0)
    assert link_faults(small.tables) == []
