"""Who may teach and who may judge: splits by time, folds by brand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

PARTS = ("train", "valid", "test", "embargo", "later")

NO_EMBARGO = pd.Timedelta(0)


@dataclass(frozen=True)
class TimeSplit:
    """Two cuts in time, by which briefs teach, tune or test.

    A brief belongs to the part in which it was decided::

        train | embargo | valid | embargo | test | later  -> time
                     valid_from         test_from  test_until

    The embargo lies before each cut and should be as long as an outcome takes to ripen. Of the
    briefs decided in it only the early outcomes are known at the cut; learning from those would
    favour what comes quickly, so these briefs teach nothing there. It guards whole briefs; single
    outcomes measured late are kept out by `training.labels.labels_known_before`.

    Attributes
    ----------
    valid_from, test_from : pandas.Timestamp
        First moment of validation and of test, with a time zone.
    embargo : pandas.Timedelta
        Time before each cut whose briefs are left out, 0 or more.
    test_until : pandas.Timestamp, optional
        First moment after test, with a time zone; by default test has no end.

    Examples
    --------
    >>> split = TimeSplit(
    ...     pd.Timestamp("2025-03-01", tz="UTC"),
    ...     pd.Timestamp("2025-06-01", tz="UTC"),
    ...     embargo=pd.Timedelta(days=30),
    ... )
    >>> briefs = pd.DataFrame(
    ...     {
    ...         "brief_id": ["b1", "b2", "b3", "b4"],
    ...         "decided_at": pd.to_datetime(
    ...             ["2025-01-15", "2025-02-20", "2025-03-01", "2025-07-01"], utc=True
    ...         ),
    ...     }
    ... )
    >>> split.part(briefs).tolist()
    ['train', 'embargo', 'valid', 'test']
    """

    valid_from: pd.Timestamp
    test_from: pd.Timestamp
    embargo: pd.Timedelta = NO_EMBARGO
    test_until: pd.Timestamp | None = None

    def __post_init__(self) -> None:
        for name in ("valid_from", "test_from", "test_until"):
            cut = getattr(self, name)
            if name == "test_until" and cut is None:
                continue
            if pd.isna(cut) or cut.tzinfo is None:
                raise ValueError(f"Got {name}={cut} but expected a time with its time zone")
        if not self.embargo >= pd.Timedelta(0):
            raise ValueError(f"Got embargo={self.embargo} but expected 0 or more")
        if not self.valid_from < self.test_from - self.embargo:
            raise ValueError(
                f"Got valid_from={self.valid_from} and test_from={self.test_from}, which with an "
                f"embargo of {self.embargo} leave no time to validate in"
            )
        if self.test_until is not None and not self.test_from < self.test_until:
            raise ValueError(
                f"Got test_from={self.test_from} and test_until={self.test_until}, which leave no "
                "time to test in"
            )

    @classmethod
    def by_share(
        cls,
        briefs: pd.DataFrame,
        valid: float = 0.15,
        test: float = 0.2,
        embargo: pd.Timedelta = NO_EMBARGO,
    ) -> TimeSplit:
        """Put the cuts where the latest `test` and the `valid` before them begin.

        Both cuts are decision times of briefs. Briefs decided at the same moment stay together,
        and shares are of all briefs, so what the embargo takes comes out of training's share.

        Parameters
        ----------
        briefs : pandas.DataFrame
            BRIEFS, all decided.
        valid, test : float
            Shares of the briefs, above 0 and together below 1.
        embargo : pandas.Timedelta
            Time before each cut whose briefs are left out.

        Raises
        ------
        ValueError
            If a brief is open, the shares are no shares, or a part would be empty.
        """
        return cls.rolling(briefs, 1, valid, test, embargo)[0]

    @classmethod
    def rolling(
        cls,
        briefs: pd.DataFrame,
        origins: int,
        valid: float = 0.15,
        test: float = 0.2,
        embargo: pd.Timedelta = NO_EMBARGO,
    ) -> list[TimeSplit]:
        """Split at several moments, each with the whole past before it (a rolling origin).

        The latest is that of `by_share`. Each earlier one tests on those decided before the test of
        the next began, so that every test brief is in one test alone (Tashman, International
        Journal of Forecasting 2000): on half as many, or the earliest would have hardly a past.

        Parameters
        ----------
        briefs : pandas.DataFrame
            BRIEFS, all decided.
        origins : int
            How many, 1 or more.
        valid, test : float
            Shares of all the briefs, above 0 and together below 1.
        embargo : pandas.Timedelta
            Time before each cut whose briefs are left out.

        Returns
        -------
        list of TimeSplit
            The latest first.

        Raises
        ------
        ValueError
            If a brief is open, the shares are no shares, or a part would be empty.
        """
        if not (valid > 0 and test > 0 and valid + test < 1):
            raise ValueError(
                f"Got valid={valid} and test={test} but expected shares above 0 that leave some "
                "for training"
            )
        if origins < 1:
            raise ValueError(f"Got origins={origins} but expected 1 or more")
        decided = pd.DatetimeIndex(_decided(briefs)).sort_values()
        if len(decided) == 0:
            raise ValueError("Got no briefs to split")
        tuning, testing = (max(1, round(share * len(decided))) for share in (valid, test))
        splits: list[TimeSplit] = []
        while len(splits) < origins:
            until = splits[-1].test_from if splits else None
            past = decided if until is None else decided[decided < until]
            cuts = _cuts(past, tuning, max(1, testing // 2) if splits else testing, embargo)
            if cuts is None:
                which = f" for {origins} origins (at origin {len(splits) + 1} from the latest)"
                raise ValueError(
                    f"Got {len(decided)} briefs decided from {decided[0]} to {decided[-1]}, too "
                    f"few or too close to train on some, validate on {valid:.0%} and test on "
                    f"{test:.0%} with an embargo of {embargo}{which if origins > 1 else ''}"
                )
            splits.append(cls(*cuts, embargo, until))
        return splits

    def part(self, briefs: pd.DataFrame) -> pd.Series[Any]:
        """Return which part each brief belongs to.

        Parameters
        ----------
        briefs : pandas.DataFrame
            BRIEFS, all decided.

        Returns
        -------
        pandas.Series
            One of `PARTS` for each row, on the index of `briefs`.

        Raises
        ------
        ValueError
            If a brief is open.
        """
        decided = _decided(briefs)
        until = self.test_until
        later = pd.Series(False, briefs.index) if until is None else decided >= until
        part = np.select(
            [
                later,
                decided >= self.test_from,
                decided >= self.test_from - self.embargo,
                decided >= self.valid_from,
                decided >= self.valid_from - self.embargo,
            ],
            ["later", "test", "embargo", "valid", "embargo"],
            default="train",
        )
        return pd.Series(part, index=briefs.index, name="part", dtype="str")


def _cuts(
    decided: pd.DatetimeIndex, valid: int, test: int, embargo: pd.Timedelta
) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Return where the latest `test` and the `valid` before them begin, ``None`` without room."""
    if len(decided) < test:
        return None
    test_from = decided[-test]
    before = decided[decided < test_from - embargo]
    if len(before) <= valid or before[-valid] <= decided[0] + embargo:
        return None
    return before[-valid], test_from


def _decided(briefs: pd.DataFrame) -> pd.Series[Any]:
    decided = briefs["decided_at"]
    if decided.isna().any():
        raise ValueError(
            f"Got {int(decided.isna().sum())} briefs without decided_at but expected decided "
            "ones: an open brief has nothing to teach yet"
        )
    return decided


def brand_folds(
    briefs: pd.DataFrame,
    folds: int,
    seed: int,
    positives: pd.Series[Any] | None = None,
) -> pd.Series[Any]:
    """Deal briefs into folds by brand, so that no brand is in two.

    A brand's briefs are alike, and parting them would let a model recognise the brand it is
    tested on. The brands with most positives are dealt first, each to the fold that has fewest
    so far (Graham's longest-processing-time rule; `sklearn.model_selection.GroupKFold` without a
    seed does the same by rows); equal brands are dealt in the order the seed draws.

    Parameters
    ----------
    briefs : pandas.DataFrame
        BRIEFS, in any order.
    folds : int
        From 2 to the number of brands.
    seed : int
        Seed of the order among brands with equally many positives.
    positives : pandas.Series, optional
        Number of positive KOLs by brief_id; briefs it lacks have none. By default 1 a brief.

    Returns
    -------
    pandas.Series
        Fold, from 0, by brief_id; the same whatever the row order.

    Raises
    ------
    ValueError
        If there are fewer brands than folds, or fewer than 2 folds.
    """
    weight = 1.0 if positives is None else briefs["brief_id"].map(positives).fillna(0.0)
    brands = briefs.assign(_positives=weight).groupby("brand_id")["_positives"].sum()
    if not 2 <= folds <= len(brands):
        raise ValueError(f"Got folds={folds} but expected 2 to {len(brands)}, the number of brands")
    # Shuffled first: the stable sort keeps the drawn order among brands that are equal.
    drawn = brands.iloc[np.random.default_rng(seed).permutation(len(brands))]
    dealt = drawn.sort_values(ascending=False, kind="stable")
    load = np.zeros((folds, 2))  # positives, then brands: brands without positives spread too
    fold_of = {}
    for brand, count in dealt.items():
        fold = int(np.lexsort((load[:, 1], load[:, 0]))[0])
        load[fold] += count, 1
        fold_of[brand] = fold
    dealt_to = briefs["brand_id"].map(fold_of).to_numpy(dtype=np.int64)
    return pd.Series(dealt_to, index=pd.Index(briefs["brief_id"], name="brief_id"), name="fold")
