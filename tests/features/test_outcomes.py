"""What the log says of a campaign, in one place for training and for the ledger."""

import pandas as pd
import pytest

from features.outcomes import answers, earned_in
from features.tables import Tables
from matcher.measures import actuals
from training.responses import responses

DAY = pd.Timestamp("2026-01-10", tz="UTC")
ANSWERS = {
    ("shown", False): None,
    ("contacted", False): None,
    ("contacted", True): None,
    ("signed", True): True,
    ("delivered", False): True,
    ("cancelled", False): True,
    ("cancelled", True): True,
    ("declined", False): False,
    ("declined", True): False,
}


def _tables() -> Tables:
    signed = [DAY if told else None for _, told in ANSWERS]
    names = [f"{status}{told}" for status, told in ANSWERS]
    return Tables.of(
        briefs=pd.DataFrame(
            {"brief_id": ["b"], "brand_id": ["a"], "text": ["x"], "decided_at": [DAY]}
        ),
        kols=pd.DataFrame({"kol_id": names, "observed_at": DAY}),
        collaborations=pd.DataFrame(
            {
                "collaboration_id": names,
                "brief_id": "b",
                "kol_id": names,
                "status": [status for status, _ in ANSWERS],
                "shown_at": DAY,
                "signed_at": pd.Series(signed, dtype="datetime64[us, UTC]"),
            }
        ),
    )


def test_the_status_alone_tells_who_accepted() -> None:
    told = answers(_tables().collaborations)
    assert [None if pd.isna(yes) else bool(yes) for yes in told] == list(ANSWERS.values())


def test_forecasts_of_acceptance_are_held_against_what_they_learn_from() -> None:
    tables = _tables()
    taught = responses(tables).set_index("kol_id")["accepted"].astype(float)
    held = actuals(tables, 30)
    assert held["accepted"].dropna().to_dict() == taught.to_dict()
    assert (held["asked"] == held["accepted"].notna()).all()


@pytest.mark.parametrize(("said", "currency"), [("USD", "USD"), (None, "CNY")])
def test_sales_are_in_the_currency_of_the_outcome_or_else_of_the_brief(
    said: str | None, currency: str
) -> None:
    briefs = pd.DataFrame({"brief_id": ["b"], "currency": ["CNY"]})
    told = earned_in(pd.Series([said], dtype="str"), pd.Series(["b"]), briefs)
    assert told.tolist() == [currency]
