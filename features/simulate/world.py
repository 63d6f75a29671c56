"""The simulated world as a whole: its tables, and the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.contract import MODES
from features.simulate.clock import AS_OF
from features.simulate.conduct import Conduct, delayed, delays, draw_conduct, plant
from features.simulate.demand import Demand, briefs_table, draw_brands, draw_demand
from features.simulate.exchange import exchange_table
from features.simulate.export import Format, write_tables
from features.simulate.market import Market, draw_market, kols_table
from features.simulate.offers import Quotes, draw_quotes, incidents_table, rates_table
from features.simulate.opinions import judgments_table, vectors_table
from features.simulate.outcomes import outcomes_table
from features.simulate.policy import Log, collaborations_table, draw_log, redraw
from features.simulate.posts import draw_plan, posts_table
from features.simulate.texts import Writer
from features.simulate.topics import Ints, load_topics
from features.simulate.truth import truth_frame
from features.tables import Tables

_FEWEST_KOLS = 20
_BRIEFS_PER_BRAND = 6


@dataclass(frozen=True)
class World:
    """A market of which everything is known.

    Attributes
    ----------
    tables : Tables
        What an agency would have on file at `as_of`.
    as_of : pandas.Timestamp
        End of history (UTC); every row became known before it. Briefs without ``decided_at`` are
        open then.
    """

    tables: Tables
    as_of: pd.Timestamp
    _market: Market = field(repr=False)
    _demand: Demand = field(repr=False)
    _quotes: Quotes = field(repr=False)
    _log: Log = field(repr=False)
    _conduct: Conduct = field(repr=False)
    _salt: int = field(repr=False)

    def truth(self, pairs: pd.DataFrame, *, foreseeable: bool = False) -> pd.DataFrame:
        """Return what collaborations are truly expected to bring within 30 days.

        Parameters
        ----------
        pairs : pandas.DataFrame
            Columns ``brief_id``, ``kol_id``, ``mode``; others are ignored. Any mode may be asked
            for, offered or not.
        foreseeable : bool
            Leave out the chemistry of brief and KOL, which nothing in the tables tells: what the
            best of forecasters would say.

        Returns
        -------
        pandas.DataFrame
            Rows aligned to `pairs` (same index). ``views``, ``engagements``, ``saves_shares``,
            ``clicks``, ``orders`` are expected counts; ``gmv`` and ``net_value`` (GMV less refunds,
            times gross margin) are money in the brief's currency; ``price`` is the latest quote
            before the brief's decision (`as_of` for open briefs), NaN where the mode was never
            quoted; ``accept`` is the chance that the KOL signs when contacted, and ``deliver`` that
            it then delivers, on which all counts are conditional; ``value`` is what the brief's
            goal counts, ``value_per_cost`` that over ``price``. The KOL's state is that of the
            decision.

        Raises
        ------
        ValueError
            If a column is missing, or an id or mode does not exist in this world.
        """
        missing = [c for c in ("brief_id", "kol_id", "mode") if c not in pairs]
        if missing:
            raise ValueError(
                f"Got pairs without {', '.join(missing)} but expected brief_id, kol_id, mode"
            )
        frame = truth_frame(
            self._market,
            self._demand,
            self._quotes,
            _positions(pairs["brief_id"], self._demand.brief_id),
            _positions(pairs["kol_id"], self._market.kol_id),
            _positions(pairs["mode"], MODES),
            None if foreseeable else self._salt,
        )
        return frame.set_axis(pairs.index)

    def redrawn(self, seed: int) -> World:
        """Play the log's chance again: the same lists and propensities, other dice.

        Who is contacted, who accepts, delivers and when, and what it brings are drawn anew by the
        same law, which costs a small part of a new world. Posts and judgments stay as they are,
        those that tell of the first draw too: this is for evaluations that read the log alone.

        Parameters
        ----------
        seed : int
            Not negative; the same seed draws the same log.
        """
        if seed < 0:
            raise ValueError(f"Got seed={seed} but expected at least 0")
        rng = np.random.default_rng([seed, self._salt, *b"redrawn"])
        log = redraw(rng, self._market, self._demand, self._log)
        drawn = Tables.of(
            briefs=self.tables.briefs,
            collaborations=collaborations_table(self._market, self._demand, log),
            outcomes=outcomes_table(rng, self._market, self._demand, log, self._salt),
        )
        late = delays(rng, self._market, self._conduct, drawn.collaborations)
        drawn = delayed(drawn, late).as_of(self.as_of)
        tables = self.tables.replace(collaborations=drawn.collaborations, outcomes=drawn.outcomes)
        return replace(self, tables=tables, _log=log)

    def write(self, folder: Path, format: Format = "csv") -> list[Path]:
        """Write the ten tables as canonical files, one a table; return their paths.

        Parameters
        ----------
        folder : Path
            Made if it is not there; files of the same names are replaced.
        format : {"csv", "parquet", "xlsx"}
            Kind of file.

        Raises
        ------
        ValueError
            If the format is unknown, or a table is too long for a worksheet.
        """
        return write_tables(self.tables, Path(folder), format)


def _positions(values: pd.Series[Any], known: Any) -> Ints:
    found = pd.Index(known).get_indexer(pd.Index(values))
    if (found < 0).any():
        value = values.iloc[int(np.argmax(found < 0))]
        raise ValueError(f"Got {values.name} {value!r} but expected one that is in this world")
    positions: Ints = found.astype(np.int64)
    return positions


def simulate(kols: int, briefs: int, seed: int, *, attention: float = 0.0) -> World:
    """Make a market with known truth; the same arguments make the same world.

    Parameters
    ----------
    kols : int
        Number of KOLs, at least 20.
    briefs : int
        Number of briefs decided in history, at least 1. Open ones come on top: 3%, at least 4.
    seed : int
        Not negative.
    attention : float
        How fast the agency's attention wanes along a list: a KOL at some place is contacted in
        proportion to ``1 / place**attention``. 0, at which places do not matter, or more.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> world = simulate(kols=50, briefs=5, seed=1)
    >>> len(world.tables.briefs), world.tables.kols["kol_id"].nunique()
    (9, 50)
    """
    for name, value, least in (
        ("kols", kols, _FEWEST_KOLS),
        ("briefs", briefs, 1),
        ("seed", seed, 0),
        ("attention", attention, 0),
    ):
        if value < least:
            raise ValueError(f"Got {name}={value} but expected at least {least}")
    topics = load_topics()

    def stream(part: str) -> np.random.Generator:
        # A stream for each part, so that a change to one leaves the draws of the others alone.
        return np.random.default_rng([seed, *part.encode()])

    writer = Writer(stream("words"), topics)
    market = draw_market(stream("market"), topics, kols)
    brands = draw_brands(stream("brands"), topics, writer, max(6, briefs // _BRIEFS_PER_BRAND))
    demand = draw_demand(stream("demand"), topics, brands, briefs, kols)
    quotes = draw_quotes(stream("quotes"), market)
    log = draw_log(stream("policy"), market, demand, quotes, attention)
    plan = draw_plan(stream("plan"), topics, market, brands, demand, log)
    tables = Tables.of(
        briefs=briefs_table(stream("briefs"), topics, market, brands, demand, writer),
        kols=kols_table(stream("kols"), topics, market, writer),
        posts=posts_table(stream("posts"), topics, market, brands, plan, writer),
        rates=rates_table(market, quotes),
        collaborations=collaborations_table(market, demand, log),
        outcomes=outcomes_table(stream("outcomes"), market, demand, log, seed),
        judgments=judgments_table(stream("judgments"), market, demand, log),
        incidents=incidents_table(stream("incidents"), market),
        vectors=vectors_table(stream("vectors"), topics, market, demand),
        exchange_rates=exchange_table(stream("exchange")),
    )
    conduct = draw_conduct(stream("conduct"), topics, market)
    tables = plant(stream("misconduct"), topics, market, conduct, tables, writer).as_of(AS_OF)
    return World(tables, AS_OF, market, demand, quotes, log, conduct, seed)
