import numpy as np
import pytest

from features.errors import UserError
from matcher.config import PlanConfig
from matcher.planning.request import PlanRequest, Quota

BRIEF = {
    "budget": 1000.0,
    "currency": "CNY",
    "kols_wanted": 3.0,
    "excluded_kols": ("k9",),
    "max_risk": 0.5,
    "max_price_per_kol": np.nan,
}


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("douyin=2:5", (2, 5, None, None)),
        ("douyin=2:", (2, None, None, None)),
        ("douyin=:5", (None, 5, None, None)),
        ("douyin=3", (3, 3, None, None)),
        ("douyin=0", (0, 0, None, None)),
        ("douyin=:40%", (None, None, None, 0.4)),
        (" douyin=10%:40% ", (None, None, 0.1, 0.4)),
        ("douyin=1:40%", (1, None, None, 0.4)),
    ],
)
def test_quotas_are_read_as_typed(text: str, limits: tuple[object, ...]) -> None:
    quota = Quota.read("platform", text)
    assert (quota.least, quota.most, quota.least_share, quota.most_share) == limits


@pytest.mark.parametrize(
    ("of", "text", "message"),
    [
        ("platform", "douyin", "Got --platform 'douyin' but expected NAME=LEAST:MOST"),
        ("platform", "douyin=", "but expected NAME=LEAST:MOST"),
        ("platform", "douyin=x", "but expected NAME=LEAST:MOST"),
        ("platform", "douyin=5:2", "at least 5 but at most 2 of douyin"),
        ("platform", "douyin=:140%", "less than or equal to 1"),
        ("platform", "douyin=2.5", "integer"),
        ("platform", "duoyin=2", "no platform is called 'duoyin'; known are douyin"),
        ("tier", "huge=2", "no tier is called 'huge'; known are nano"),
        ("mode", "live=2", "no mode is called 'live'"),
    ],
)
def test_wrong_quotas_are_refused(of: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        Quota.read(of, text)  # type: ignore[arg-type]


def test_a_brief_tells_its_own_limits() -> None:
    request = PlanRequest.of_brief(BRIEF, PlanConfig())
    assert (request.budget, request.kols, request.currency) == (1000.0, 3, "CNY")
    assert (request.without, request.max_risk, request.money_per_kol) == (("k9",), 0.5, None)
    unlimited = BRIEF | {"budget": np.nan, "kols_wanted": np.nan, "currency": np.nan}
    assert PlanRequest.of_brief(unlimited, PlanConfig(kols=7)).kols == 7
    assert PlanRequest.of_brief(BRIEF, PlanConfig(max_risk=0.2)).max_risk == 0.2


def test_limits_are_exchanged_or_stay() -> None:
    request = PlanRequest.of_brief(BRIEF, PlanConfig()).changed(budget=5.0, kols=None)
    assert (request.budget, request.kols) == (5.0, 3)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"kols": 2, "kols_least": 3}, "at least 3 but at most 2 KOLs"),
        ({"must": ("k9",)}, "k9 both must and must not be in the plan"),
        ({"diversity": {"platform": 1.5}}, "a largest share of"),
        ({"budget": -1.0}, "budget = -1.0"),
    ],
)
def test_limits_that_contradict_are_refused(limits: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PlanRequest.of_brief(BRIEF, PlanConfig()).changed(**limits)
