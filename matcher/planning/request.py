"""What a plan is asked for: money, numbers, quotas, musts and must-nots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.contract import MODES, PLATFORMS
from features.errors import UserError
from features.history import TIER_FLOORS
from matcher.config import PlanConfig

Dimension = Literal["platform", "tier", "mode", "vertical"]
DIMENSIONS: tuple[Dimension, ...] = ("platform", "tier", "mode", "vertical")
_KNOWN: dict[str, tuple[str, ...]] = {
    "platform": PLATFORMS,
    "tier": tuple(TIER_FLOORS),
    "mode": MODES,
}
_QUOTA = re.compile(r"(?P<name>[^=]+)=(?P<least>[\d.]+%?)?(?P<colon>:)?(?P<most>[\d.]+%?)?")
_FORM = "NAME=LEAST:MOST, in KOLs or in % of the money, such as douyin=2:5, douyin=:40% or douyin=3"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quota(_Frozen):
    """How many KOLs of a kind, or how much of the money that is spent."""

    of: Dimension
    name: str
    least: int | None = Field(None, ge=0)
    most: int | None = Field(None, ge=0)
    least_share: float | None = Field(None, ge=0, le=1)
    most_share: float | None = Field(None, ge=0, le=1)

    @model_validator(mode="after")
    def _the_name_is_known(self) -> Quota:
        known = _KNOWN.get(self.of)
        if known is not None and self.name not in known:
            raise ValueError(f"no {self.of} is called {self.name!r}; known are {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _the_least_is_not_above_the_most(self) -> Quota:
        for least, most in ((self.least, self.most), (self.least_share, self.most_share)):
            if least is not None and most is not None and least > most:
                raise ValueError(f"at least {least:g} but at most {most:g} of {self.name}")
        return self

    @classmethod
    def read(cls, of: Dimension, text: str) -> Quota:
        """Read a quota as people type it.

        Raises
        ------
        UserError
            If it is not of that form.

        Examples
        --------
        >>> Quota.read("platform", "douyin=2:5").most
        5
        >>> Quota.read("tier", "mega=:30%").most_share
        0.3
        """
        match = _QUOTA.fullmatch(text.strip())
        if match is None or not (match["least"] or match["most"]):
            raise UserError(f"Got --{of} {text!r} but expected {_FORM}")
        least, most = match["least"], match["most"] if match["colon"] else match["least"]
        told: dict[str, float] = {}
        for end, figure in (("least", least), ("most", most)):
            if figure and figure.endswith("%"):
                told[f"{end}_share"] = float(figure[:-1]) / 100
            elif figure:
                told[end] = float(figure)
        try:
            return cls.model_validate({"of": of, "name": match["name"].strip(), **told})
        except (ValidationError, ValueError) as error:
            raise UserError(f"Got --{of} {text!r} but expected {_FORM}: {_words(error)}") from None


class PlanRequest(_Frozen):
    """The limits of one plan; what is left out does not limit it."""

    budget: float | None = Field(None, ge=0)
    currency: str | None = None
    kols: int | None = Field(None, ge=0, description="at most")
    kols_least: int = Field(0, ge=0)
    quotas: tuple[Quota, ...] = ()
    must: tuple[str, ...] = Field((), description="KOLs that must be in the plan, by id")
    without: tuple[str, ...] = Field((), description="KOLs that must not be in it, by id")
    max_risk: float | None = Field(None, ge=0, le=1)
    risk_aversion: float = Field(1.0, ge=0, description="(1 - risk) to this power is believed")
    money_per_kol: float | None = Field(None, ge=0)
    diversity: Mapping[Dimension, float] = Field(
        default_factory=dict, description="largest share of the money for any one of a dimension"
    )

    @model_validator(mode="after")
    def _limits_do_not_contradict(self) -> PlanRequest:
        if self.kols is not None and self.kols_least > self.kols:
            raise ValueError(f"at least {self.kols_least} but at most {self.kols} KOLs")
        if both := sorted(set(self.must) & set(self.without)):
            raise ValueError(f"{', '.join(both)} both must and must not be in the plan")
        if wrong := {d: s for d, s in self.diversity.items() if not 0 < s <= 1}:
            raise ValueError(f"a largest share of {wrong}; expected above 0 and at most 1")
        return self

    @classmethod
    def of_brief(cls, brief: Mapping[str, Any], config: PlanConfig) -> PlanRequest:
        """Return what a brief itself asks for, and the settings.

        Parameters
        ----------
        brief : mapping
            A row of BRIEFS.
        config : PlanConfig
            Settings. Where a brief names neither budget nor number, ``config.kols`` limits it.
        """
        budget, kols = _known(brief["budget"]), _known(brief["kols_wanted"])
        if budget is None and kols is None:
            kols = config.kols
        currency = brief["currency"]
        return cls(
            budget=budget,
            currency=currency if isinstance(currency, str) else None,
            kols=None if kols is None else int(kols),
            without=tuple(brief["excluded_kols"]),
            max_risk=_known(brief["max_risk"]) if config.max_risk is None else config.max_risk,
            risk_aversion=config.risk_aversion,
            money_per_kol=_known(brief["max_price_per_kol"]),
            diversity=config.diversity,
        )

    def changed(self, **limits: Any) -> PlanRequest:
        """Return a copy with some limits exchanged; those that are ``None`` stay.

        Raises
        ------
        UserError
            If one is out of range, or two contradict each other.
        """
        given = {name: limit for name, limit in limits.items() if limit is not None}
        try:
            return PlanRequest.model_validate(self.model_dump() | given)
        except ValidationError as error:
            raise UserError(f"Got limits that no plan can keep: {_words(error)}") from None


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _words(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    parts = []
    for fault in error.errors():
        place = ".".join(map(str, fault["loc"]))
        text = str(fault["msg"]).removeprefix("Value error, ")
        parts.append(f"{place} = {fault['input']!r}: {text}" if place else text)
    return "; ".join(parts)
