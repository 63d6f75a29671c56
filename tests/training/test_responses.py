from collections.abc import Callable

import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.tables import Tables
from training.labels import decision_times
from training.responses import answers_of, responses

Day = Callable[[float], pd.Timestamp]
Past = Callable[..., Tables]


def _with_times(tables: Tables, **columns: list[pd.Timestamp | None]) -> Tables:
    told = tables.collaborations.assign(
        **{name: pd.Series(times, dtype="datetime64[us, UTC]") for name, times in columns.items()}
    )
    return tables.replace(collaborations=told)


def test_only_who_answered_says_anything(past: Past) -> None:
    statuses = ("shown", "contacted", "declined", "signed", "delivered", "cancelled")
    tables = past([{"kol": f"k-{status}", "status": status} for status in statuses])
    told = responses(tables).set_index("kol_id")["accepted"]
    assert told.to_dict() == {
        "k-declined": False,
        "k-signed": True,
        "k-delivered": True,
        "k-cancelled": True,
    }


def test_a_yes_is_known_on_signing_and_a_no_when_it_was_told(past: Past, day: Day) -> None:
    tables = past(
        [
            {"kol": "signed early", "status": "delivered"},
            {"kol": "said no", "status": "declined"},
            {"kol": "undated", "status": "cancelled"},
        ]
    )
    tables = _with_times(
        tables,
        signed_at=[day(12), None, None],
        status_at=[day(30), day(15), None],
    )
    known = responses(tables).set_index("kol_id")["known_at"]
    assert known.to_dict() == {
        "signed early": day(12),
        "said no": day(15),
        "undated": day(10),  # when it was shown: the latest time that the row tells
    }


def test_of_several_answers_the_first_counts(past: Past, day: Day) -> None:
    tables = past([{"status": "declined"}, {"status": "delivered"}])
    tables = _with_times(tables, signed_at=[None, day(30)], status_at=[day(12), day(50)])
    assert responses(tables)["accepted"].tolist() == [False]


def test_answers_that_were_not_known_before_the_cut_teach_nothing(
    world: World, history: History, pipeline: FeaturePipeline
) -> None:
    cut = decision_times(world.tables).dropna().sort_values().iloc[30]
    times = pd.Series(cut, index=world.tables.briefs["brief_id"])
    told = answers_of(history, pipeline, times)
    assert len(told.pairs) > 20
    assert (told.pairs["known_at"] < cut).all()
    # Tables cut there tell the same answers: nothing later was looked at.
    then = responses(world.tables.as_of(cut))
    ids = ["brief_id", "kol_id", "accepted"]
    pd.testing.assert_frame_equal(told.pairs[ids], then[ids].reset_index(drop=True))
    assert (told.signals.index == told.pairs.index).all()


def test_briefs_without_a_time_are_left_out(history: History, pipeline: FeaturePipeline) -> None:
    nobody = answers_of(history, pipeline, pd.Series(dtype="datetime64[us, UTC]"))
    assert len(nobody.pairs) == len(nobody.signals) == 0


def test_an_answer_is_read_in_the_mode_asked_for(past: Past) -> None:
    tables = past([{"kol": "k1"}, {"kol": "k2"}])
    told = tables.collaborations.assign(mode=["live_commerce", None])
    told = responses(tables.replace(collaborations=told)).set_index("kol_id")["mode"]
    assert told["k1"] == "live_commerce"
    assert pd.isna(told["k2"])
