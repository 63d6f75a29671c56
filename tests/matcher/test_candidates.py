import pandas as pd

from features.columns import TIME
from features.contract import SPECS
from features.history import History, roster
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config


def _asked(brief_ids: list[str], times: list[pd.Timestamp]) -> pd.DataFrame:
    return pd.DataFrame({"brief_id": brief_ids, "as_of": pd.Series(times, dtype=TIME)})


def test_each_brief_sees_the_roster_of_its_own_moment(
    world: World, word_embeddings: Embeddings
) -> None:
    history = History(world.tables)
    briefs = world.tables.briefs["brief_id"].tolist()[:3]
    first = world.tables.kols["observed_at"].min()
    late = world.tables.kols["observed_at"].sort_values().iloc[20]
    times = [first + pd.Timedelta(seconds=1), late, world.as_of]
    pipeline = FeaturePipeline(Config().features, word_embeddings)
    (found,) = candidates(_asked(briefs, times), history, pipeline, Config())
    sizes = found.funnel.groupby("brief_id")["kols"].sum()
    assert [sizes[b] for b in briefs] == [len(roster(history, time)) for time in times]
    assert found.roster["observed_at"].lt(found.pairs["as_of"]).all()
    for name in ("signals", "offers", "roster", "risk"):
        assert getattr(found, name).index.equals(found.pairs.index)


def test_a_profile_seen_later_is_not_looked_at(world: World, word_embeddings: Embeddings) -> None:
    brief = world.tables.briefs["brief_id"].iloc[-1]
    kols = world.tables.kols
    later = kols.tail(1).assign(observed_at=world.as_of, followers=1e9, platform="youtube")
    tables = world.tables.replace(kols=pd.concat([kols, later], ignore_index=True))
    pipeline = FeaturePipeline(Config().features, word_embeddings)
    asked = _asked([brief], [world.as_of])
    (before,) = candidates(asked, History(world.tables), pipeline, Config())
    (after,) = candidates(asked, History(tables), pipeline, Config())
    pd.testing.assert_frame_equal(before.roster, after.roster)
    pd.testing.assert_frame_equal(before.signals, after.signals)
    pd.testing.assert_frame_equal(before.funnel, after.funnel)


def test_kept_rows_come_in_the_order_asked_for(world: World, word_embeddings: Embeddings) -> None:
    brief = world.tables.briefs["brief_id"].iloc[-1]
    pipeline = FeaturePipeline(Config().features, word_embeddings)
    asked = _asked([brief], [world.as_of])
    (found,) = candidates(asked, History(world.tables), pipeline, Config())
    rows = found.pairs.index[::-1][:2]
    kept = found.of(rows)
    assert kept.pairs.index.equals(rows)
    assert kept.signals.index.equals(rows)
    assert kept.roster["kol_id"].tolist() == kept.pairs["kol_id"].tolist()
    assert kept.funnel is found.funnel


def test_a_kol_whose_cheapest_mode_is_for_another_time_may_serve_in_another(
    world: World, word_embeddings: Embeddings
) -> None:
    tables, brief = world.tables, world.tables.briefs["brief_id"].iloc[-1]
    pipeline = FeaturePipeline(Config().features, word_embeddings)
    asked = _asked([brief], [world.as_of])
    (before,) = candidates(asked, History(tables), pipeline, Config())
    kol_id = before.pairs["kol_id"].iloc[0]
    first = before.offers.iloc[0]
    mine = tables.rates["kol_id"] == kol_id
    allowed = tables.briefs.set_index("brief_id")["modes"][brief]
    other = next(mode for mode in allowed or ("q_and_a", "sponsorship") if mode != first["mode"])
    later = world.as_of + pd.Timedelta(days=900)
    away = tables.rates.assign(available_from=tables.rates["available_from"].mask(mine, later))
    away["available_to"] = away["available_to"].mask(mine)
    (gone,) = candidates(asked, History(tables.replace(rates=away)), pipeline, Config())
    assert kol_id not in set(gone.pairs["kol_id"])
    assert gone.funnel.set_index("reason")["kols"]["availability"] >= 1

    dear = (
        away[mine]
        .tail(1)
        .assign(
            mode=other,
            price=first["price"] + 1,
            quoted_at=world.as_of - pd.Timedelta(minutes=1),
            valid_until=pd.NaT,
            available_from=pd.NaT,
        )
    )
    more = SPECS["rates"].conform(pd.concat([away, dear], ignore_index=True))
    (after,) = candidates(asked, History(tables.replace(rates=more)), pipeline, Config())
    row = after.pairs.index[after.pairs["kol_id"] == kol_id]
    assert after.offers.loc[row, ["mode", "price"]].to_numpy().tolist() == [
        [other, first["price"] + 1]
    ]
    assert after.pairs.loc[row, "mode"].tolist() == [other]
    signals = pipeline.transform(after.pairs, History(tables.replace(rates=more)))
    pd.testing.assert_frame_equal(after.signals, signals, check_exact=True)
