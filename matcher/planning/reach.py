"""How many different people a set of KOLs reaches, rather than the sum of their views.

People are told apart by gender and age. Within such a segment of a platform every view falls on a
person at random, independently of all others: with ``v`` views among ``N`` people a share
``exp(-v / N)`` sees nothing. Who is on several platforms is counted once, each person of a segment
being on each platform with that platform's share, independently. That is random duplication, the
Sainsbury method, within segments, as in its weighted form (Anesbury et al., "Net audiences: a
comparison of the Sainsbury Normal Method and the Sainsbury Weighted Method", Journal of Marketing
Management, 2020), which errs less than over all people at once.

What a KOL brings is uncertain: with chance ``q`` they deliver, else nobody sees anything. The
expected share that is not reached by ``k`` is ``1 - q (1 - exp(-v / N))``, so that with

    e_k = -log(1 - q_k (1 - exp(-v_k / N)))        exposure of a KOL
    w_p = sum of e_k over the KOLs chosen on platform p

the expected number of people reached in a segment of ``N`` people, ``c_p`` of them on ``p``, is

    F(w) = N (1 - prod_p (1 - c_p + c_p exp(-w_p)))

exactly. Each factor is log-convex in ``w_p``, so that their product is convex and F concave: a
planner may bound it from above by its tangents (`matcher.planning.program`).

Nobody knows how many people there are to reach. From a roster alone: as many accounts on a
platform as its KOLs' followers by segment, summed, over the KOLs of a roster that a person follows
(``follows``), and not fewer than the largest of them has; as many people as accounts over the
platforms that a person uses (``platforms_each``), and not fewer than the largest platform has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.config import ReachConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEGMENTED_BY = ("gender", "age")
MOST_SEGMENTS = 40
"""More kinds of people than these are merged: the rarest into one."""

MOST_EXPOSURE = 50.0
"""From here on everybody is reached, but for one in 10^21."""


@dataclass(frozen=True)
class People:
    """Whom there is to reach. ``P`` platforms, ``S`` segments.

    Attributes
    ----------
    platforms : tuple of str
        Platforms that are told apart.
    segments : tuple of str
        Such as ``"female 18-24"``.
    accounts : ndarray, shape (P, S)
        People of each segment on each platform; NaN on a platform where nobody's followers are
        known.
    people : ndarray, shape (S,)
        People of each segment on any of the platforms.
    mixes : DataFrame, shape (KOLs, S)
        Share of each segment in the audience of each KOL of the roster, by kol_id.
    """

    platforms: tuple[str, ...]
    segments: tuple[str, ...]
    accounts: Floats
    people: Floats
    mixes: pd.DataFrame

    def exposures(
        self,
        kol_ids: Sequence[str],
        platforms: Sequence[str],
        views: Floats,
        chance: Floats,
    ) -> Floats:
        """Return what each option adds to the exposure of each platform's segments.

        Parameters
        ----------
        kol_ids, platforms : sequence of str, shape (n,)
            Of the options.
        views : ndarray, shape (n,) or (draws, n)
            What each brings if it delivers, spread over its audience.
        chance : ndarray, shape (n,)
            Chance that it does.

        Returns
        -------
        ndarray, shape (n, S) or (draws, n, S)
            On the option's own platform; 0 where nothing is known of it.
        """
        at = pd.Index(self.platforms).get_indexer(pd.Index(platforms))
        mix = self.mixes.to_numpy()[self.mixes.index.get_indexer(pd.Index(kol_ids))]
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.asarray(views)[..., None] * mix / self.accounts[at]
        each = np.nan_to_num(np.where(at[:, None] >= 0, each, 0.0), posinf=0.0)
        with np.errstate(divide="ignore"):
            exposure = -np.log1p(chance[:, None] * np.expm1(-each))
        return np.asarray(np.minimum(exposure, MOST_EXPOSURE), dtype=np.float64)

    def reached(self, exposure: Floats) -> Floats:
        """Return how many people of each segment are reached.

        Parameters
        ----------
        exposure : ndarray, shape (..., P, S)
            Summed over who is chosen.

        Returns
        -------
        ndarray, shape (..., S)
        """
        return np.asarray(self.people * (1 - self._missed(exposure).prod(axis=-2)))

    def slopes(self, exposure: Floats) -> Floats:
        """Return what a unit more of each exposure adds to `reached`, shape of `exposure`."""
        missed = self._missed(exposure)
        shares = np.nan_to_num(self.accounts) / self.people
        return np.asarray(
            self.people * missed.prod(axis=-2, keepdims=True) / missed * shares * np.exp(-exposure)
        )

    def _missed(self, exposure: Floats) -> Floats:
        """Return the share of each segment that each platform does not reach."""
        shares = np.nan_to_num(self.accounts) / self.people
        # Where all are on one platform and all are reached, a factor of 0 would divide slopes.
        return np.asarray(np.maximum(1 - shares * -np.expm1(-exposure), 1e-300))


@dataclass(frozen=True, eq=False)
class Crowd:
    """A roster as `people_of` reads it, worked out once for all briefs.

    Attributes
    ----------
    roster : DataFrame
        KOLS, one row a KOL.
    """

    roster: pd.DataFrame

    @cached_property
    def mixes(self) -> pd.DataFrame:
        """Share of each kind of people in each KOL's audience (`People`)."""
        return _mixes(self.roster)

    @cached_property
    def followers(self) -> Floats:
        """Followers of each KOL who do not look fake."""
        genuine = 1 - self.roster["suspicious_follower_share"].fillna(0.0).to_numpy(np.float64)
        return np.asarray(self.roster["followers"].to_numpy(dtype=np.float64) * genuine)

    @cached_property
    def _accounts(self) -> dict[str, tuple[Floats, Floats] | None]:
        return {}

    def accounts(self, platform: str) -> tuple[Floats, Floats] | None:
        """Return the followers by kind of all KOLs of a platform, and the most that one has.

        ``None`` where nobody's are known.
        """
        if platform not in self._accounts:
            here = (self.roster["platform"] == platform).to_numpy(dtype=bool) & (self.followers > 0)
            each = self.followers[here, None] * self.mixes.to_numpy()[here]
            self._accounts[platform] = (each.sum(axis=0), each.max(axis=0)) if here.any() else None
        return self._accounts[platform]


def people_of(
    roster: pd.DataFrame | Crowd, platforms: Sequence[str], config: ReachConfig
) -> People:
    """Estimate from a roster how many people there are to reach.

    Parameters
    ----------
    roster : DataFrame or Crowd
        KOLS, one row a KOL.
    platforms : sequence of str
        Those of the options.
    config : ReachConfig
        What a roster cannot tell.
    """
    known = tuple(dict.fromkeys(sorted(platforms)))
    crowd = roster if isinstance(roster, Crowd) else Crowd(roster)
    mixes = crowd.mixes
    accounts = np.full((len(known), mixes.shape[1]), np.nan)
    for place, platform in enumerate(known):
        found = crowd.accounts(platform)
        if found is not None:
            total, most = found
            told = config.audiences.get(platform)
            total = total / config.follows if told is None else told * total / total.sum()
            accounts[place] = np.maximum(total, most)
    people = np.ones(mixes.shape[1])
    if np.isfinite(accounts).any():
        shared = max(1.0, min(config.platforms_each, len(known)))
        people = np.maximum(
            np.nansum(accounts, axis=0) / shared, np.nanmax(np.nan_to_num(accounts), axis=0)
        )
    return People(known, tuple(mixes.columns), accounts, np.maximum(people, 1e-9), mixes)


def _mixes(roster: pd.DataFrame) -> pd.DataFrame:
    """Return each KOL's audience by segment; who tells none has the platform's usual one."""
    parts = []
    for dimension in SEGMENTED_BY:
        told = [_scaled(mix) for mix in roster[f"audience_{dimension}"]]
        names = sorted({name for mix in told for name in mix}) or [f"any {dimension}"]
        shares = pd.DataFrame(told, index=roster.index, columns=names, dtype=np.float64)
        shares = shares.fillna(0.0).where(shares.notna().any(axis=1))
        usual = shares.groupby(roster["platform"], dropna=False).transform("mean")
        shares = shares.fillna(usual).fillna(shares.mean()).fillna(1 / len(names))
        parts.append(shares)
    first, second = parts
    names = [f"{a} {b}".strip() for a in first for b in second]
    both = (first.to_numpy()[:, :, None] * second.to_numpy()[:, None, :]).reshape(len(first), -1)
    if both.shape[1] > MOST_SEGMENTS:
        common = np.argsort(-both.sum(axis=0), kind="stable")
        kept = np.sort(common[: MOST_SEGMENTS - 1])
        rest = 1 - both[:, kept].sum(axis=1, keepdims=True)
        both = np.hstack([both[:, kept], rest.clip(0.0)])
        names = [*(names[i] for i in kept), "others"]
    return pd.DataFrame(both, index=pd.Index(roster["kol_id"]), columns=names)


def _scaled(mix: Mapping[str, Any]) -> dict[str, float]:
    """Return shares that sum to 1; nothing where the mix tells nothing."""
    total = sum(mix.values())
    return {name: share / total for name, share in mix.items()} if total > 0 else {}
