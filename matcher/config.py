"""Every setting of kolmatch, typed, frozen, from one TOML file.

Functions receive the part they need. An unknown key is an error that names the valid ones.
"""

from __future__ import annotations

import hashlib
import re
import reprlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from features.config import EncoderConfig, FeatureConfig
from features.errors import UserError

if TYPE_CHECKING:
    from features.tables import Tables


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EligibilityConfig(_Frozen):
    """What refuses a KOL before any ranking."""

    exclusivity_days: int = Field(
        30, ge=0, description="a paid post for a competitor this recent refuses the KOL"
    )


class HeadConfig(_Frozen):
    """The forest of one forecast head: small and steady, since finished campaigns are few."""

    trees: int = Field(400, ge=1)
    leaves: int = Field(8, ge=2, le=64)
    learning_rate: float = Field(0.03, gt=0, le=1)
    min_rows_per_leaf: int = Field(20, ge=1)
    feature_share: float = Field(0.5, gt=0, le=1)
    row_share: float = Field(0.6, gt=0, le=1)
    l2: float = Field(20.0, ge=0)
    extra_trees: bool = Field(
        True,
        description="split at thresholds drawn by chance where views and acceptance are forecast: "
        "a few hundred outcomes are followed less closely so. Rates are not",
    )
    least_rows: int = Field(100, ge=1, description="fewer measured outcomes give no head")
    mode_rows: float = Field(
        10.0, gt=0, description="collaborations in a mode at which half of its effect is believed"
    )


class IntervalConfig(_Frozen):
    """The forests that learn for whom forecasts of views go astray by how much."""

    least_rows: int = Field(
        1000, ge=1, description="fewer outcomes give all forecasts intervals of the same width"
    )
    trees: int = Field(100, ge=1)
    leaves: int = Field(4, ge=2, le=64)
    learning_rate: float = Field(0.05, gt=0, le=1)
    min_rows_per_leaf: int = Field(60, ge=1)
    feature_share: float = Field(0.5, gt=0, le=1)
    row_share: float = Field(0.6, gt=0, le=1)


class RetrievalConfig(_Frozen):
    """Who is ranked at all where more may serve a brief than can be ranked in time.

    Each source orders the eligible KOLs in a way of its own, and the sources take turns by their
    shares until the candidates are complete (`matcher.retrieval`). A share of 0 leaves a source
    out.
    """

    candidates: int = Field(500, ge=1, description="KOLs ranked per brief, if so many may serve")
    likely: float = Field(
        5.0,
        ge=0,
        description="first by a quick guess of the model's ranking or of likeness",
    )
    content: float = Field(2.0, ge=0, description="posts, bio and own vectors near to the brief")
    lookalikes: float = Field(1.0, ge=0, description="near to whom paid off for such briefs")
    efficient: float = Field(2.0, ge=0, description="most views or engagements for their price")
    rising: float = Field(0.5, ge=0, description="followers or views that grow fastest")
    new: float = Field(0.3, ge=0, description="observed for the shortest time")
    winners: int = Field(16, ge=1, description="KOLs that paid off to look for the like of")

    @model_validator(mode="after")
    def _some_source_is_left(self) -> RetrievalConfig:
        shares = (self.likely, self.content, self.lookalikes)
        if not any((*shares, self.efficient, self.rising, self.new)):
            raise ValueError("every source has share 0; at least one must be above")
        return self


class FinetuneConfig(_Frozen):
    """Tuning the text encoder itself on past briefs (`training.finetune`); off by default."""

    epochs: int = Field(0, ge=0, description="times every past pair is read; 0 tunes nothing")
    batch_size: int = Field(
        32, ge=2, description="briefs a step; their KOLs are each other's counter-examples"
    )
    learning_rate: float = Field(2e-5, gt=0, le=1, description="highest, after the warm-up")
    warmup_share: float = Field(0.1, ge=0, lt=1, description="share of the steps that warm up")
    posts_per_kol: int = Field(
        3, ge=0, description="latest posts of a KOL that teach, beside the bio"
    )
    scale: float = Field(
        20.0, gt=0, description="factor of a cosine in the loss: 1 over its temperature"
    )


class AffinityConfig(_Frozen):
    """Learned projections of text vectors and of users' own (`features.projection`)."""

    rank: int = Field(128, ge=1, le=4096, description="axes a projection keeps; 0.1 ms a KOL each")
    strength: tuple[float, ...] = Field(
        (0.0, 0.5, 1.0),
        description="of these, how far past pairs turn a projection; the past decides",
    )
    least_vectors: int = Field(30, ge=2, description="a space with fewer KOLs is not projected")
    sample: int = Field(5000, ge=2, description="KOLs whose spread is measured")


class RankerConfig(_Frozen):
    """LightGBM LambdaRank. At most 64 leaves, so that forests can be scored factorised."""

    trees: int = Field(300, ge=1)
    leaves: int = Field(8, ge=2, le=64)
    learning_rate: float = Field(0.03, gt=0, le=1)
    min_rows_per_leaf: int = Field(20, ge=1)
    feature_share: float = Field(0.5, gt=0, le=1)
    l2: float = Field(5.0, ge=0)
    patience: int = Field(60, ge=1, description="trees without a better NDCG before stopping")
    position_regularization: float = Field(
        0.0, ge=0, description="shrinks the pull of places (`training.position_aware`)"
    )
    likeness_weight: float = Field(
        1.0, ge=0, description="margin per unit of learned likeness, where ranking starts from it"
    )
    forecast_weight: float = Field(
        2.0, ge=0, description="margin per log unit of forecast value per price, before any tree"
    )


class TrainingConfig(_Frozen):
    """How past collaborations become a training set."""

    horizon_days: int = Field(30, ge=1, description="age at which an outcome is ripe")
    valid_share: float = Field(0.15, gt=0, lt=1)
    test_share: float = Field(0.20, gt=0, lt=1)
    unknown: Literal["forecast", "negative", "choices"] = Field(
        "forecast",
        description="what a KOL that was never tried is taken for: as good as the forecast says, "
        "or, where the data holds only collaborations that happened, not fitting; or nothing, "
        "where the choices from the lists that were shown are to be learned from",
    )
    unknown_per_brief: int = Field(30, ge=0, description="never tried KOLs sampled per brief")
    unknown_weight: float = Field(0.3, ge=0, le=1, description="how far that is believed")
    belief: float = Field(
        0.3, ge=0, le=1, description="share of one outcome in its grade; the forecast has the rest"
    )
    passed_over: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far it is believed that those fit less who were shown but not contacted "
        "while others were; 0 leaves them out",
    )
    passed_over_below: float = Field(
        0.7,
        ge=0,
        description="how much less value per price than forecast they are taken for, in logs: "
        "0.7 is half",
    )
    propensity_weights: Literal["none", "brief", "all"] = Field(
        "none",
        description="whether outcomes that were unlikely to be in the log, by its propensities, "
        "count the more for it, normalised inside each brief or over all",
    )
    propensity_clip: float = Field(10.0, ge=1, description="largest of those weights")
    position_aware: bool = Field(
        False, description="tell the pull of a place on the list apart from the preference"
    )
    refit: bool = Field(
        True,
        description="let forecasts learn once more from all briefs before the test, those that "
        "tuned them and those decided too late to teach before that included",
    )
    least_briefs: int = Field(20, ge=1, description="fewer briefs with outcomes train nothing")
    folds: int = Field(5, ge=2, description="brand-grouped folds")
    origins: int = Field(
        1, ge=1, description="rolling origins that training tests on; the latest makes the model"
    )


class GateConfig(_Frozen):
    """What a challenger must show before it may serve (`training.gate`)."""

    confidence: float = Field(
        0.95, gt=0, lt=1, description="of the interval of the lead, and of every other verdict"
    )
    tolerance: float = Field(
        0.005,
        ge=0,
        description="NDCG@10 above which the lower limit of a lead over a champion must lie",
    )
    least_gain: float = Field(
        0.01, ge=0, description="lead over a champion in NDCG@10 that is worth a change"
    )
    least_briefs: int = Field(10, ge=2, description="fewer test briefs decide nothing")
    least_brands: int = Field(5, ge=2, description="nor do those of fewer brands")
    power: float = Field(0.8, gt=0, lt=1, description="chance with which a lead shall be found")
    detectable: float = Field(
        0.05, gt=0, description="where a lead this large could be missed, nothing is decided"
    )
    slice_harm: float = Field(
        0.02, ge=0, description="share of a slice's twos of KOLs that may be ordered worse"
    )
    calibration: float = Field(
        0.02, ge=0, description="error of fit allowed above its noise floor and the champion's"
    )
    exposure: float = Field(
        0.2, ge=0, le=1, description="share of its places that every follower tier must keep"
    )
    listed_briefs: int = Field(40, ge=1, description="test briefs whose whole lists are compared")
    most_gain: float = Field(
        0.15, gt=0, description="lead over a champion that is too good to be true"
    )
    reliance: float = Field(
        0.8, gt=0, le=1, description="share of the lead that may hang on one new signal"
    )
    knowledge: float = Field(
        0.75, gt=0, description="share of the champion's order that no new signal may have alone"
    )
    drift: float = Field(
        5.0, gt=0, description="stability index of a signal that carries weight, at most"
    )


class ServingConfig(_Frozen):
    """How a run is cut and written."""

    top: int = Field(20, ge=1, description="matches kept per brief")
    chunk_pairs: int = Field(25_000, ge=1, description="pairs held in memory at once, at most")
    memory: float | None = Field(
        None,
        gt=0,
        description="GB that a run may take: chunks are cut to what the tables leave of it",
    )
    plan: bool = Field(True, description="whether each brief's budget is planned")
    explore_share: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of a list's places, at its end, drawn by chance; above 0 at least one",
    )
    explore_pool: int = Field(
        5, ge=1, description="candidates for the drawn places, in lengths of the list"
    )
    explore_temperature: float = Field(
        1.0, gt=0, description="standard deviations of score by which a chance falls to 1/e"
    )
    explore_uniform: float = Field(
        0.5, gt=0, le=1, description="share of the chances that is the same for all candidates"
    )

    draws: int = Field(
        1000, ge=100, description="futures drawn of each match, for orders, sales and return"
    )

    def changed(self, **settings: float | None) -> ServingConfig:
        """Return a copy with some settings exchanged; those that are ``None`` stay.

        Raises
        ------
        UserError
            If one is out of range.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        try:
            return ServingConfig.model_validate(self.model_dump() | given)
        except ValidationError as error:
            faults = "; ".join(
                f"{e['loc'][0]} = {e['input']!r}: {e['msg']}" for e in error.errors()
            )
            raise UserError(f"Got serving settings that kolmatch cannot use: {faults}") from None


class ReachConfig(_Frozen):
    """How many people there are to reach, where no roster can tell (`matcher.planning.reach`)."""

    follows: float = Field(
        3.0, ge=1, description="KOLs of the roster that a person on a platform follows"
    )
    platforms_each: float = Field(
        2.0, ge=1, description="platforms of a brief that a person uses, if it allows so many"
    )
    audiences: Mapping[str, float] = Field(
        default_factory=dict, description="people on a platform, where you know; by platform"
    )


class PlanConfig(_Frozen):
    """How a budget is planned (`matcher.planning.plan`)."""

    steps: tuple[Annotated[float, Field(gt=0, le=10)], ...] = Field(
        (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
        description="shares of the budget that are planned; the plan itself is 1",
    )
    kols: int = Field(10, ge=1, description="at most, where a brief names no budget and no number")
    risk_aversion: float = Field(
        1.0, ge=0, description="value is taken times (1 - risk) to this power; 0 ignores risk"
    )
    max_risk: float | None = Field(None, ge=0, le=1, description="instead of the briefs' own")
    diversity: Mapping[Literal["platform", "tier", "mode", "vertical"], float] = Field(
        default_factory=dict,
        description="largest share of the money for any one platform, tier, mode or vertical",
    )
    gap: float = Field(1e-6, ge=0, lt=1, description="how far from the best a plan may be")
    reach_gap: float = Field(
        0.001, gt=0, lt=1, description="the same where unique people are what counts"
    )
    time_limit: float = Field(10.0, gt=0, description="seconds a plan may take, each step")
    entry_prices: int = Field(
        40, ge=0, description="left-out KOLs of a brief whose price of entry is sought"
    )
    draws: int = Field(1000, ge=100, description="futures drawn of a plan, for its intervals")
    reach: ReachConfig = ReachConfig()


class UpkeepConfig(_Frozen):
    """When figures from the field are enough to act on (`kolmatch reconcile`, `kolmatch drift`)."""

    least_rows: int = Field(20, ge=2, description="collaborations that a group is judged by")
    least_briefs: int = Field(5, ge=2, description="briefs that they belong to")
    recent_briefs: int = Field(40, ge=2, description="latest briefs that drift is looked for in")
    psi_watch: float = Field(0.1, gt=0, description="stability index worth a look")
    psi_retrain: float = Field(0.25, gt=0, description="stability index that asks for training")
    growth_retrain: float = Field(
        0.75, gt=0, description="briefs with outcomes since, over those that taught, likewise"
    )
    bias_retrain: float = Field(
        0.25, gt=0, description="forecasts off by this share, surely, ask for training"
    )


def _period(text: object) -> object:
    """Read a period such as 730d; anything else is for pydantic to refuse."""
    match = re.fullmatch(r"\s*(\d{1,5})\s*d(?:ays?)?\s*", text) if isinstance(text, str) else None
    if match is not None and int(match[1]):
        return int(match[1])
    if isinstance(text, int) and not isinstance(text, bool) and 0 < text < 100_000:
        return text
    raise ValueError('expected a number of days such as "730d"')


Days = Annotated[int | None, BeforeValidator(_period)]


class RetentionConfig(_Frozen):
    """How many days rows of each table are kept, such as ``posts = "730d"``; else for ever.

    `kolmatch prune` enforces it.
    """

    briefs: Days = None
    kols: Days = None
    posts: Days = None
    rates: Days = None
    collaborations: Days = None
    outcomes: Days = None
    judgments: Days = None
    incidents: Days = None
    vectors: Days = None
    exchange_rates: Days = None

    def days(self) -> dict[str, int]:
        """Return the days of the tables that have a period."""
        return {name: days for name, days in self.model_dump().items() if days is not None}


class Config(_Frozen):
    """All settings."""

    seed: int = 0
    encoder: EncoderConfig = EncoderConfig()
    features: FeatureConfig = FeatureConfig()
    eligibility: EligibilityConfig = EligibilityConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    affinity: AffinityConfig = AffinityConfig()
    forecast: HeadConfig = HeadConfig()
    intervals: IntervalConfig = IntervalConfig()
    ranker: RankerConfig = RankerConfig()
    training: TrainingConfig = TrainingConfig()
    gate: GateConfig = GateConfig()
    serving: ServingConfig = ServingConfig()
    plan: PlanConfig = PlanConfig()
    upkeep: UpkeepConfig = UpkeepConfig()
    # Decides nothing about a model, which must not become another because of it.
    retention: RetentionConfig = Field(RetentionConfig(), exclude=True)

    @property
    def hash(self) -> str:
        """Return a digest that changes with any setting."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def with_spaces(self, tables: Tables) -> Config:
        """Add the users' vector spaces that both briefs and KOLs have to the features.

        Raises
        ------
        UserError
            If one has the name of a signal of kolmatch's own, as a lake may that was filled before
            there was such a signal.
        """
        owners = tables.vectors.groupby("space")["owner"].nunique()
        spaces = sorted({*self.features.spaces, *owners.index[owners == 2]})
        try:
            features = FeatureConfig.model_validate(self.features.model_dump() | {"spaces": spaces})
        except ValidationError as error:
            faults = "; ".join(str(fault["msg"]) for fault in error.errors())
            raise UserError(
                f"Got vector spaces {', '.join(spaces)}: {faults.removeprefix('Value error, ')} in "
                "the files and ingest them into a new lake"
            ) from None
        return self.model_copy(update={"features": features})

    @classmethod
    def load(cls, path: Path | None) -> Config:
        """Read settings from a TOML file; what it leaves out keeps its default.

        Raises
        ------
        UserError
            If the file cannot be read or is not TOML, or a setting is unknown or out of range,
            naming each one.
        """
        if path is None:
            return cls()
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise UserError(f"Got settings file {path}, which cannot be read: {error}") from error
        except ValidationError as error:
            faults = "\n".join(f"  {_fault(item['loc'], item)}" for item in error.errors())
            raise UserError(f"Got settings in {path} that kolmatch cannot use:\n{faults}") from None
        except (ValueError, RecursionError) as error:  # of which bad TOML and bad UTF-8 are kinds
            raise UserError(f"Got {path} but expected a TOML file: {error}") from error


def _fault(place: tuple[int | str, ...], details: Mapping[str, Any]) -> str:
    """Word one validation error; an unknown key names the keys that would be right."""
    name = ".".join(map(str, place))
    if details["type"] != "extra_forbidden":
        told = details["input"]
        # What is nested deeper than Python's stack has no repr.
        shown = reprlib.repr(told) if isinstance(told, (dict, list)) else repr(told)
        return f"{name} = {shown}: {details['msg']}"
    model: type[BaseModel] = Config
    for part in place[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return f"{name} is not a setting; expected one of {', '.join(model.model_fields)}"
