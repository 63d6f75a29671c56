import numpy as np
import pandas as pd
import pytest

from features.config import FeatureConfig
from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config
from matcher.directory import Directory
from matcher.successors import Successors, successors, successors_of
from serving.results import SUCCESSORS

NOW = pd.Timestamp("2026-01-01", tz="UTC")


def _ago(days: float) -> pd.Timestamp:
    return NOW - pd.Timedelta(days=days)


def _directory(embeddings: Embeddings, **changes: dict[str, object]) -> Directory:
    """Return a roster in which ``next`` alone may follow ``star``."""
    kols: dict[str, dict[str, object]] = {
        "star": {"growth": 1.0, "price": 1000.0},
        "next": {"growth": 1.4, "price": 600.0},
        "dear": {"growth": 1.4, "price": 1200.0},
        "slow": {"growth": 0.99, "price": 600.0},
        "self": {"growth": 1.4, "price": 600.0, "person": "p-star"},
        "dollar": {"growth": 1.4, "price": 60.0, "currency": "USD"},
        "other": {"growth": 1.4, "price": 600.0, "text": "汽车试驾报告与保养"},
        "mode": {"growth": 1.4, "price": 600.0, "mode": "q_and_a"},
        "free": {"growth": 1.4, "price": None},
    }
    for name, change in changes.items():
        kols[name] = kols.get(name, {}) | change
    facts = ["growth", "price", "platform", "person", "currency", "mode", "text"]
    told = pd.DataFrame(kols, index=facts, dtype=object).T.rename_axis("kol_id").reset_index()
    profiles = pd.concat(
        [
            pd.DataFrame(
                {
                    "kol_id": told["kol_id"],
                    "observed_at": at,
                    "platform": told["platform"].fillna("douyin"),
                    "person_id": told["person"].fillna("p-" + told["kol_id"]),
                    "display_name": told["kol_id"].str.upper(),
                    "followers": (1e4 * (told["growth"].astype(float) if late else 1.0)),
                }
            )
            for late, at in ((False, _ago(100)), (True, _ago(5)))
        ]
    )
    posts = pd.DataFrame(
        {
            "post_id": [f"{k}-{i}" for k in told["kol_id"] for i in range(2)],
            "kol_id": told["kol_id"].repeat(2).to_numpy(),
            "published_at": _ago(20),
            "observed_at": _ago(10),
            "text": told["text"].fillna("敏感肌护肤，精华推荐").repeat(2).to_numpy(),
        }
    )
    quoted = told[told["price"].notna()]
    rates = pd.DataFrame(
        {
            "kol_id": quoted["kol_id"],
            "mode": quoted["mode"].fillna("ad_placement"),
            "quoted_at": _ago(30),
            "price": quoted["price"].astype(float),
            "currency": quoted["currency"].fillna("CNY"),
        }
    )
    briefs = pd.DataFrame({"brief_id": ["b"], "brand_id": "x", "text": "护肤"})
    tables = Tables.of(briefs=briefs, kols=profiles, posts=posts, rates=rates)
    return Directory(History(tables), NOW, FeaturePipeline(FeatureConfig(), embeddings))


def test_only_who_is_alike_rises_and_asks_less_may_follow(word_embeddings: Embeddings) -> None:
    told = successors_of(_directory(word_embeddings), "star")
    assert told["successor_id"].tolist() == ["next"]
    (row,) = told.to_dict("records")
    assert row["rank"] == 1
    assert row["display_name"] == "NEXT"
    assert (row["price"], row["currency"], row["mode"]) == (600.0, "CNY", "ad_placement")
    assert row["tier"] == "micro"
    assert row["similarity"] == pytest.approx(1.0, abs=1e-4)
    # 1.4 times as many in 95 days.
    assert row["growth"] == pytest.approx(1.4 ** (30 / 95) - 1, abs=1e-3)


def test_the_same_platform_comes_first_among_equals(word_embeddings: Embeddings) -> None:
    directory = _directory(
        word_embeddings,
        abroad={"growth": 1.5, "price": 500.0, "platform": "tiktok"},
        zhome={"growth": 1.5, "price": 500.0},
    )
    told = successors_of(directory, "star")
    assert told["successor_id"].tolist() == ["next", "zhome", "abroad"]
    assert told["rank"].tolist() == [1, 2, 3]
    assert successors_of(directory, "star", count=1)["successor_id"].tolist() == ["next"]


def test_nobody_follows_who_grows_fastest_or_quotes_nothing(word_embeddings: Embeddings) -> None:
    directory = _directory(word_embeddings, star={"growth": 2.0})
    assert successors_of(directory, "star").empty
    assert successors_of(_directory(word_embeddings), "free").empty


def test_an_unknown_kol_is_refused(word_embeddings: Embeddings) -> None:
    with pytest.raises(UserError, match="Got KOL 'nobody' but expected the id of one that was"):
        successors_of(_directory(word_embeddings), "nobody")


@pytest.fixture(scope="module")
def laid_out(world: World, word_embeddings: Embeddings) -> Directory:
    pipeline = FeaturePipeline(FeatureConfig(), word_embeddings)
    return Directory(History(world.tables), world.as_of, pipeline)


def test_successors_of_matches_keep_the_contract_and_the_briefs_filters(
    world: World, open_ids: list[str], laid_out: Directory, word_embeddings: Embeddings
) -> None:
    config = Config()
    asked = pd.DataFrame({"brief_id": open_ids, "as_of": world.as_of})
    pipeline = FeaturePipeline(config.features, word_embeddings)
    (found,) = candidates(asked, laid_out.history, pipeline, config)
    told = successors(found, laid_out)
    assert len(told)
    assert SUCCESSORS.faults(SUCCESSORS.conform(told)) == []
    assert told.groupby(["brief_id", "kol_id"])["rank"].max().max() <= 3
    own = found.pairs.assign(**found.offers[["price", "currency"]])
    both = told.merge(own, on=["brief_id", "kol_id"], suffixes=("", "_own"))
    assert len(both) == len(told)
    assert (both["price"] < both["price_own"]).all()
    assert (both["currency"] == both["currency_own"]).all()
    platforms = world.tables.briefs.set_index("brief_id")["platforms"]
    for brief_id, platform in zip(told["brief_id"], told["platform"], strict=True):
        assert not platforms[brief_id] or platform in platforms[brief_id]
    nobody = successors(found.of(found.pairs.index[:0]), laid_out)
    assert nobody.empty
    assert list(nobody) == SUCCESSORS.names


def test_look_alikes_are_the_same_alone_as_among_others(laid_out: Directory) -> None:
    finder = Successors(laid_out)
    together = finder.alike(np.arange(len(laid_out)))
    for kol in range(0, len(laid_out), 9):
        (alone,) = finder.alike(np.array([kol]))
        np.testing.assert_array_equal(alone.owners, together[kol].owners)
        np.testing.assert_array_equal(alone.cosines, together[kol].cosines)
