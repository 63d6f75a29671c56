"""What was planted is found by the signals, and changes nothing else."""

import numpy as np
import pandas as pd
import pytest

from features.config import FeatureConfig
from features.history import History
from features.signals.conduct import conduct
from features.simulate import World
from features.vectors import Embeddings
from features.view import View


@pytest.fixture(scope="module")
def seen(world: World, word_embeddings: Embeddings) -> pd.DataFrame:
    """Return the signals of everybody at the end of history."""
    brief = world.tables.briefs["brief_id"].iloc[-1]
    pairs = pd.DataFrame({"brief_id": brief, "kol_id": world._market.kol_id, "as_of": world.as_of})
    view = View(pairs, History(world.tables))
    return pd.DataFrame(conduct(view, word_embeddings, FeatureConfig()))


@pytest.mark.parametrize(
    ("signal", "trait", "from_"),
    [
        ("claims_paid", "claims", 0.3),
        ("undisclosed", "hides", 0.3),
        ("copied", "copies", 0.1),
        ("late", "late", 0.1),
    ],
)
def test_who_misbehaves_stands_out(
    world: World, seen: pd.DataFrame, signal: str, trait: str, from_: float
) -> None:
    does = getattr(world._conduct, trait) >= from_
    assert 0 < does.sum() < len(does) / 3
    told = seen[signal]
    assert told[does].mean() > 1.5 * told[~does].mean() + 0.02


def test_bought_followers_come_at_once(world: World, seen: pd.DataFrame) -> None:
    bought = world._market.suspicious > 0
    assert seen["jump"][bought].median() > seen["jump"][~bought].quantile(0.99)


def test_accounts_that_turn_change_their_name(world: World, seen: pd.DataFrame) -> None:
    turned = np.isfinite(world._conduct.turned)
    assert turned.any()
    assert (seen["changed"][turned] > 0).mean() > 0.7
    assert (seen["changed"][~turned].fillna(0) == 0).all()


def test_late_deliveries_move_their_posts_and_measurements(world: World) -> None:
    log = world.tables.collaborations.set_index("collaboration_id")
    taken = (log["published_at"] - log["signed_at"]).dt.days
    late = taken[taken > 30]
    assert len(late) > 5
    outcomes = world.tables.outcomes.set_index("collaboration_id")
    measured = outcomes[outcomes["horizon_days"] == 1]["measured_at"]
    gap = (measured - log["published_at"].reindex(measured.index)).dt.days
    assert (gap == 1).all()
    brand = world.tables.briefs.set_index("brief_id")["brand_id"]
    posted = set(
        zip(
            world.tables.posts["kol_id"],
            world.tables.posts["brand_id"],
            world.tables.posts["published_at"],
            strict=True,
        )
    )
    early = log.loc[late.index]
    early = early[early["published_at"] < world.as_of - pd.Timedelta(days=10)]
    asked = zip(early["kol_id"], early["brief_id"].map(brand), early["published_at"], strict=True)
    assert set(asked) <= posted


def test_another_draw_of_the_log_is_late_too(world: World) -> None:
    log = world.redrawn(5).tables.collaborations
    assert ((log["published_at"] - log["signed_at"]).dt.days > 30).any()
