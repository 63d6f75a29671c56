"""What an evaluation found, gathered once: for MLflow, for the page and for the model's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from features.tables import Tables
from matcher.config import Config
from matcher.model import Matcher
from matcher.ranker import JUDGMENTS
from training.evaluate import HEADLINE, MODEL, Evaluation
from training.labels import decision_times
from training.leads import (
    VERDICTS,
    Lead,
    headline_view,
    intervals,
    lead_over_rules,
    slice_leads,
)
from training.regret import regret_in_money, regret_summary
from training.reliability import Reliability, interval_coverage
from training.rounds import Round, calibration_metrics, reliability


@dataclass(frozen=True)
class Subject:
    """What was measured, and how to measure it again.

    Attributes
    ----------
    command : str
        What was typed.
    split : str
        ``"time"`` or ``"brand"``.
    data_versions : mapping
        Version of each table.
    encoder : str
        Identity of the text encoder.
    kolmatch : str
        Version of this software.
    refitted : bool
        Whether models were fitted anew by the version's settings, rather than itself measured.
    """

    command: str
    split: str
    data_versions: Mapping[str, str]
    encoder: str
    kolmatch: str
    refitted: bool = False


@dataclass(frozen=True)
class Report:
    """Everything that was measured.

    Attributes
    ----------
    subject : Subject
        What was measured.
    rounds : tuple of Round
        Fits and their tests; the first is that of the model.
    tables : Tables
        The data.
    policy : mapping
        What the model's choice from logged lists would have brought (`training.replay.log_value`).
    untold : str
        Why the log cannot tell that; empty where it can.
    """

    subject: Subject
    rounds: tuple[Round, ...]
    tables: Tables
    policy: Mapping[str, float] = field(default_factory=dict)
    untold: str = ""

    @property
    def matcher(self) -> Matcher:
        """The model."""
        return self.rounds[0].matcher

    @property
    def config(self) -> Config:
        """Its settings."""
        return self.matcher.config

    @property
    def judged(self) -> bool:
        """Whether the model rests on people's grades alone."""
        return self.matcher.basis == JUDGMENTS

    @cached_property
    def evaluation(self) -> Evaluation:
        """All rounds together."""
        return Evaluation.together([each.evaluation for each in self.rounds])

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """What each tried (or judged) pair brought, beside its forecast."""
        return pd.concat([each.forecasts for each in self.rounds], ignore_index=True)

    @cached_property
    def view(self) -> str:
        """The view that decides."""
        return headline_view(self.evaluation, self.config)

    @property
    def views(self) -> list[str]:
        """The view that decides, and the others that have anything to tell."""
        return [self.view, *(view for view in self.evaluation.views if view != self.view)]

    @cached_property
    def lead(self) -> Lead:
        """The model's lead over the best simple rule."""
        return lead_over_rules(self.evaluation, self.view, self.config.seed)

    @cached_property
    def intervals(self) -> dict[str, pd.DataFrame]:
        """By view, every ranker's metrics and the model's leads (`training.leads.intervals`)."""
        seed = self.config.seed
        return {view: intervals(self.evaluation, view, seed) for view in self.views}

    @cached_property
    def slices(self) -> dict[str, pd.DataFrame]:
        """By view, the lead in every slice (`training.leads.slice_leads`)."""
        seed = self.config.seed
        return {view: slice_leads(self.evaluation, view, seed) for view in self.views}

    @cached_property
    def by_round(self) -> pd.DataFrame:
        """Each round's cuts and the lead in it, the model's first."""
        rows = []
        for each in self.rounds:
            row: dict[str, Any] = {"round": each.plan.name, **each.plan.cuts}
            row |= {f"briefs_{part}": len(each.plan.briefs(part)) for part in _PARTS}
            if len(each.evaluation.of(self.view)):
                lead = lead_over_rules(each.evaluation, self.view, self.config.seed)
                row |= {"model": lead.model, "rule": lead.rule, "against": lead.against}
                row |= {"difference": lead.difference, "low": lead.low, "high": lead.high}
            rows.append(row)
        return pd.DataFrame(rows)

    @cached_property
    def reliability(self) -> Reliability | None:
        """How the chances of fit compare with successes; ``None`` where nothing came."""
        return None if self.forecasts.empty else reliability(self.forecasts)

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """How often forecast intervals held what came."""
        return interval_coverage(self.forecasts, self.config.seed)

    @cached_property
    def regret(self) -> pd.DataFrame:
        """Mean regret by ranker (`training.regret.regret_summary`)."""
        return regret_summary(self.evaluation.regret, self.config.seed)

    @cached_property
    def regret_in_money(self) -> pd.DataFrame:
        """What choices cost, by currency and ranker."""
        return regret_in_money(self.evaluation.regret)

    @cached_property
    def tiers(self) -> pd.DataFrame:
        """Shares of the follower tiers for the model and the best rule."""
        wanted = [MODEL, self.lead.rule]
        return self.evaluation.exposure.by_tier(self.evaluation.choices, wanted)

    @cached_property
    def roster_coverage(self) -> pd.DataFrame:
        """Over how much of the roster each ranker's lists spread."""
        return self.evaluation.exposure.coverage()

    @cached_property
    def gain(self) -> pd.Series[float]:
        """How much each signal lowered the ranker's loss; empty where no tree was worth it."""
        ranker = self.matcher.ranker
        gain = pd.Series(dtype=np.float64) if ranker is None else ranker.forest.gain()
        return gain if gain.sum() > 0 else gain.head(0)

    @cached_property
    def briefs(self) -> pd.DataFrame:
        """Each test brief of the deciding view: who asked for what, and how it was ranked.

        Worst lead first: brief_id, title, brand, goal, vertical, listed, positives, model and rule
        (NDCG@10), lead.
        """
        rows = self.evaluation.of(self.view)
        by_ranker = rows.pivot(index="brief_id", columns="ranker", values=HEADLINE)
        own = rows[rows["ranker"] == MODEL].set_index("brief_id")
        told = self.tables.briefs.set_index("brief_id").loc[by_ranker.index]
        table = pd.DataFrame(
            {
                "title": told["title"],
                "brand": told["brand_name"].fillna(told["brand_id"]),
                "goal": told["goal"],
                "vertical": told["vertical"],
                "listed": own["n"],
                "positives": own["positives"],
                "model": by_ranker[MODEL],
                "rule": by_ranker[self.lead.rule],
            }
        )
        table["lead"] = table["model"] - table["rule"]
        table = table.dropna(subset=["lead"]).reset_index()
        return table.sort_values(["lead", "brief_id"], ignore_index=True)

    @cached_property
    def lists(self) -> pd.DataFrame:
        """Each test brief's KOLs whose grade is known, as the model ranks them.

        brief_id, rank, kol_id, name, grade (and whether a person gave it), score, fit, and what
        the brief's goal counts and the cost, where they are known.
        """
        parts = []
        for each in self.rounds:
            known = each.test.known
            said = each.matcher.score(known.signals)[["score", "fit"]]
            parts.append(pd.concat([known.pairs[["brief_id", *_LISTED]], said], axis=1))
        table = pd.concat(parts, ignore_index=True)
        value = self.evaluation.choices.drop_duplicates(["brief_id", "kol_id"])
        table = table.merge(value, how="left", on=["brief_id", "kol_id"])
        latest = self.tables.kols.sort_values("observed_at").drop_duplicates("kol_id", keep="last")
        table["name"] = table["kol_id"].map(latest.set_index("kol_id")["display_name"])
        order = ["brief_id", "score", "kol_id"]
        table = table.sort_values(order, ascending=[True, False, True], ignore_index=True)
        table["rank"] = table.groupby("brief_id").cumcount() + 1
        named = ["brief_id", "rank", "kol_id", "name", "tier", "grade", "judged", "score", "fit"]
        return table[[*named, "value", "cost", "currency"]]

    @cached_property
    def data(self) -> dict[str, pd.DataFrame]:
        """What taught, tuned and tested the model, counted: by part, goal, platform, currency."""
        part = self.rounds[0].plan.part.rename("part")
        told = self.tables.briefs.merge(part, left_on="brief_id", right_index=True)
        told = told.assign(decided_at=told["brief_id"].map(decision_times(self.tables)))
        parts = told.groupby("part").agg(
            briefs=("brief_id", "nunique"),
            brands=("brand_id", "nunique"),
            first=("decided_at", "min"),
            last=("decided_at", "max"),
        )
        done = self.tables.collaborations.merge(part, left_on="brief_id", right_index=True)
        done = done[done["status"] == "delivered"]
        platform = self.tables.kols.drop_duplicates("kol_id", keep="last")
        on = done["kol_id"].map(platform.set_index("kol_id")["platform"])
        counted = {
            "goal": told.groupby(["goal", "part"]).size(),
            "platform": done.groupby([on.rename("platform"), "part"]).size(),
            "currency": done.groupby(["currency", "part"]).size(),
        }
        tables = {name: each.unstack("part", fill_value=0) for name, each in counted.items()}
        order = [name for name in _PARTS if name in parts.index]
        return {
            "part": parts.loc[order],
            **{name: each.reindex(columns=order, fill_value=0) for name, each in tables.items()},
        }

    @cached_property
    def tested(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """When the first and the last test brief of all rounds was decided; NaT if unknown."""
        briefs = [brief for each in self.rounds for brief in each.plan.briefs("test")]
        decided = decision_times(self.tables).reindex(briefs)
        return decided.min(), decided.max()

    def metrics(self) -> dict[str, float]:
        """Return every number worth tracking, by name, those of the model with their intervals."""
        lead = self.lead
        values = self.evaluation.metrics()
        for view, table in self.intervals.items():
            for row in table[table["ranker"] == MODEL].to_dict("records"):
                name = f"{view}_{row['metric'].replace('@', '_at_')}"
                values |= {f"{name}_low": row["low"], f"{name}_high": row["high"]}
            values |= self._gain(view, table)
        values |= {
            "headline": lead.model,
            "headline_best_baseline": lead.against,
            "headline_lead": lead.difference,
            "headline_lead_low": lead.low,
            "headline_lead_high": lead.high,
            "headline_lead_p": lead.p,
            "headline_detectable": lead.detectable,
            **calibration_metrics(self.forecasts),
            **{f"briefs_{part}": float(len(self.rounds[0].plan.briefs(part))) for part in _PARTS},
            **self._money_metrics(),
            **self.policy,
        }
        verdicts = self.slices[self.view]["verdict"]
        return values | {
            f"slices_{word.replace(' ', '_')}": float((verdicts == word).sum()) for word in VERDICTS
        }

    def _gain(self, view: str, table: pd.DataFrame) -> dict[str, float]:
        """Return the lead over the best rule of a view; in that which decides it is `lead`."""
        rule = self.evaluation.best_baseline(view)
        rows = table[(table["ranker"] == rule) & (table["metric"] == HEADLINE)]
        return {
            f"{view}_gain{end}": float(row[f"lead{end}"])
            for row in rows.to_dict("records")
            for end in ("", "_low", "_high")
        }

    def _money_metrics(self) -> dict[str, float]:
        values: dict[str, float] = {}
        told = self.regret.set_index("ranker")
        if MODEL in told.index:
            own: Any = told.loc[MODEL]
            values |= {"regret": own["regret"], "regret_low": own["low"]}
            values |= {"regret_high": own["high"]}
            values["regret_best_baseline"] = float(told["regret"].drop(MODEL).min())
        spread = self.roster_coverage
        if MODEL in spread.index:
            values["roster_coverage"] = float(spread["coverage"][MODEL])
            values["roster_gini"] = float(spread["gini"][MODEL])
        return {name: float(value) for name, value in values.items()}


_PARTS = ("train", "valid", "test")
_LISTED = ("kol_id", "grade", "judged")
