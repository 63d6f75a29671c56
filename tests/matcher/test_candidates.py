import pandas as pd
import pytest

from features.columns import TIME
from features.contract import SPECS
from features.history import History, roster
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.candidates import Candidates, candidates
from matcher.config import Config, ServingConfig
from matcher.model import Matcher
from matcher.retrieval import Retrieval


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


@pytest.mark.parametrize("block", [1, 7, 23])
@pytest.mark.parametrize("scouted", [True, False])
def test_candidates_are_the_same_for_any_block(
    world: World,
    matcher: Matcher,
    word_embeddings: Embeddings,
    open_ids: list[str],
    monkeypatch: pytest.MonkeyPatch,
    block: int,
    scouted: bool,
) -> None:
    # Another account of somebody who is excluded may stand in another block.
    persons = world.tables.kols["person_id"].mask(
        world.tables.kols["kol_id"].isin(world.tables.kols["kol_id"].unique()[[3, 30]]), "p"
    )
    first = world.tables.kols["kol_id"].unique()[3]
    briefs = world.tables.briefs.assign(excluded_kols=[(first,)] * len(world.tables.briefs))
    tables = world.tables.replace(
        kols=world.tables.kols.assign(person_id=persons), briefs=SPECS["briefs"].conform(briefs)
    )
    pipeline = matcher.pipeline(word_embeddings)
    asked = _asked(open_ids[:4], [world.as_of] * 4)
    config = matcher.config.retrieval.model_copy(update={"candidates": 6})

    def found() -> Candidates:
        history = History(tables)
        retrieval = Retrieval(history, pipeline, config, matcher.scout if scouted else None)
        (part,) = candidates(asked, history, pipeline, matcher.config, retrieval)
        return part

    whole = found()
    assert whole.pairs["brief_id"].value_counts().max() == 6
    assert "excluded" in set(whole.funnel["reason"])
    assert first not in set(whole.pairs["kol_id"])
    monkeypatch.setattr("matcher.candidates._BLOCK", block)
    monkeypatch.setattr("matcher.retrieval._BLOCK", block)
    again = found()
    for name in ("pairs", "signals", "offers", "roster", "risk", "funnel"):
        left, right = pd.DataFrame(getattr(again, name)), pd.DataFrame(getattr(whole, name))
        pd.testing.assert_frame_equal(left, right, check_exact=True, obj=name)


def test_a_kol_whose_cheapest_mode_is_for_another_time_may_serve_in_another(
    world: World, word_embeddings: Embeddings
) -> None:
    briefs = world.tables.briefs.assign(modes=[()] * len(world.tables.briefs))
    tables = world.tables.replace(briefs=SPECS["briefs"].conform(briefs))
    pipeline = FeaturePipeline(Config().features, word_embeddings)
    brief_ids = briefs.loc[briefs["decided_at"].isna(), "brief_id"].tolist()
    asked = _asked(brief_ids, [world.as_of] * len(brief_ids))

    def of_first(rates: pd.DataFrame) -> Candidates:
        (found,) = candidates(asked, History(tables.replace(rates=rates)), pipeline, Config())
        same = found.pairs[["brief_id", "kol_id"]] == first[["brief_id", "kol_id"]]
        return found.of(found.pairs.index[same.all(axis=1)])

    (found,) = candidates(asked, History(tables), pipeline, Config())
    first = found.pairs.iloc[0]
    price, currency = found.offers[["price", "currency"]].iloc[0]
    mine = tables.rates["kol_id"] == first["kol_id"]
    later = world.as_of + pd.Timedelta(days=900)
    away = tables.rates.assign(available_from=tables.rates["available_from"].mask(mine, later))
    away["available_to"] = away["available_to"].mask(mine)
    assert of_first(away).pairs.empty

    dear = {
        **{"kol_id": first["kol_id"], "mode": "joint_development", "price": price + 1},
        **{"currency": currency, "quoted_at": world.as_of - pd.Timedelta(minutes=1)},
    }
    more = pd.concat([away, SPECS["rates"].conform(pd.DataFrame([dear]))], ignore_index=True)
    again = of_first(more)
    terms = again.offers[["mode", "price"]].assign(asked=again.pairs["mode"])
    assert terms.to_numpy().tolist() == [["joint_development", price + 1, "joint_development"]]
    signals = pipeline.transform(again.pairs, History(tables.replace(rates=more)))
    pd.testing.assert_frame_equal(again.signals, signals, check_exact=True)


def test_memory_that_is_spent_leaves_the_smallest_chunks(
    world: World, word_embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matcher.candidates._LEAST_PAIRS", 1)
    pipeline = FeaturePipeline(Config().features, word_embeddings)
    asked = _asked(world.tables.briefs["brief_id"].tolist()[-4:], [world.as_of] * 4)

    def parts(memory: float | None) -> list[Candidates]:
        config = Config(serving=ServingConfig(memory=memory))
        return list(candidates(asked, History(world.tables), pipeline, config))

    (whole,) = parts(None)
    (roomy,) = parts(1000.0)
    small = parts(0.001)
    assert [part.funnel["brief_id"].nunique() for part in small] == [1] * 4
    for found in (roomy, *small):
        own = whole.pairs["brief_id"].isin(found.funnel["brief_id"])
        expected = whole.signals[own].reset_index(drop=True)
        pd.testing.assert_frame_equal(found.signals, expected, check_exact=True)
