"""What signals compare texts, made the obvious way: the peer of the compiled loop.

Everything that belongs to one side is given, as kolmatch has it too when a pair comes: unit vectors
of posts, bios and briefs, bags of words, weights and topics of posts, projections of all of them.
The peer joins pairs with posts, multiplies rows of numpy arrays, and groups by pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.history import History
from features.lexicon import bundled_lexicon
from features.pipeline import FeaturePipeline
from features.profiles import shapes_of
from features.projection import Projection
from features.signals.content import bios_of, brief_texts
from features.similarity import GRID, on_grid
from features.view import View
from features.widening import widened_briefs


class PandasTexts:
    """Signals of the families that compare texts, by pandas and numpy.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    history, pipeline
        Where posts and vectors come from.
    projections : sequence of Projection
        Learned ones; the one of texts is used.
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        history: History,
        pipeline: FeaturePipeline,
        projections: tuple[Projection, ...],
    ) -> None:
        embeddings, config, lexicon = pipeline.embeddings, pipeline.config, bundled_lexicon()
        view = View(pairs, history, config.recent_posts)
        texts, brief = brief_texts(view)
        widened, ask = widened_briefs(view, texts, brief, embeddings)
        shape, _ = shapes_of(view.cells, embeddings, config)
        codes = view.cells.recent.texts[view.cells.post_state]
        cell, slot = np.nonzero(codes >= 0)
        used, text = np.unique(codes[cell, slot], return_inverse=True)
        said = [history.posts.texts[1][code] for code in used]
        bios, bio = bios_of(view.cells)
        (projection,) = (p for p in projections if p.space == "posts")
        vectors, asked = embeddings.of(said), embeddings.of(texts, role="query")
        self.briefs = {
            "own": _unit(asked),
            "wide": _unit(widened),
            "learned": np.nan_to_num(projection.briefs(asked)).astype(np.float32),
            "words": lexicon.bags(texts) / GRID,
        }
        self.texts = {
            "own": _unit(vectors),
            "learned": np.nan_to_num(projection.kols(vectors)).astype(np.float32),
            "words": lexicon.bags(said) / GRID,
        }
        about = embeddings.of(bios)
        self.bios = {
            "own": _unit(about),
            "learned": np.nan_to_num(projection.kols(about)).astype(np.float32),
            "words": lexicon.bags(bios) / GRID,
        }
        self.pairs = pd.DataFrame({"brief": brief, "ask": ask, "kol": view.cell})
        most = shape.shares.shape[1]
        self.posts = pd.DataFrame(
            {
                "kol": cell,
                "text": text,
                "weight": shape.weight[cell, slot].astype(np.float64),
                "topic": shape.topic[cell, slot],
                "paid": shape.paid[cell, slot],
                "half": shape.halves[cell, slot],
            }
        )
        lengths = pd.DataFrame(
            shape.length / GRID, columns=[f"length_{i}" for i in range(most + 3)]
        )
        shares = pd.DataFrame(shape.subject_shares, columns=[f"share_{i}" for i in range(most)])
        alone = pd.DataFrame({"concentration": shape.concentration, "drift": shape.drift})
        self.kols = pd.concat([alone, lengths, shares], axis=1).assign(kol=range(len(bio)), bio=bio)
        self.most, self.index = most, pairs.index

    def signals(self) -> pd.DataFrame:
        """Return the signals that are compared, by their names in the pipeline."""
        pairs = self.pairs.merge(self.kols, on="kol", how="left").rename_axis("pair").reset_index()
        long = pairs[["pair", "brief", "ask", "kol"]].merge(self.posts, on="kol")
        long["near"] = _products(self.briefs["own"], long["brief"], self.texts["own"], long["text"])
        long["wide"] = _products(self.briefs["wide"], long["ask"], self.texts["own"], long["text"])
        long["learned"] = _products(
            self.briefs["learned"], long["brief"], self.texts["learned"], long["text"]
        )
        long["lexical"] = _shared(
            self.briefs["words"], long["brief"], self.texts["words"], long["text"]
        )
        found: dict[str, Any] = {}
        for column, name, family in (
            ("near", "", "content."),
            ("wide", "widened_", "content."),
            ("lexical", "lexical_", "content."),
            ("learned", "posts_", "affinity."),
        ):
            found |= _best(long, column, f"{family}{name}")
        found |= _best(long[long["paid"]], "near", "content.sponsored_")
        found["content.mean"] = long.groupby("pair")["near"].mean()
        halves = long.groupby(["pair", "half"])["near"].mean().unstack()
        found["content.drift_to_brief"] = halves.get(1, np.nan) - halves.get(-1, np.nan)
        long["weighed"] = long["weight"] * long["near"]
        kinds = {"organic": ~long["paid"], "sponsored": long["paid"], "recent": long["pair"] >= 0}
        for at, (name, kept) in enumerate(kinds.items(), start=self.most):
            total = long[kept].groupby("pair")["weighed"].sum()
            found[f"content.{name}"] = total / pairs[f"length_{at}"].replace(0.0, np.nan)
        topics = long[long["topic"] >= 0].groupby(["pair", "topic"])["weighed"].sum().unstack()
        topics = topics.reindex(index=pairs["pair"], columns=range(self.most))
        topics /= pairs[[f"length_{i}" for i in range(self.most)]].to_numpy()
        closest = np.nan_to_num(topics.to_numpy(), nan=-2.0).argmax(axis=1)
        found["content.topic"] = topics.max(axis=1)
        shares = pairs[[f"share_{i}" for i in range(self.most)]].to_numpy()
        found["content.topic_share"] = pd.Series(shares[pairs["pair"], closest]).where(
            found["content.topic"].notna()
        )
        told = pairs["bio"] >= 0
        for name, kind in (("content.bio", "own"), ("affinity.posts_bio", "learned")):
            near = _products(self.briefs[kind], pairs["brief"], self.bios[kind], pairs["bio"])
            found[name] = pd.Series(near).where(told)
        words = _shared(self.briefs["words"], pairs["brief"], self.bios["words"], pairs["bio"])
        found["content.lexical_bio"] = pd.Series(words).where(told)
        found["content.concentration"], found["content.drift"] = (
            pairs["concentration"],
            pairs["drift"],
        )
        return pd.DataFrame(found).reindex(pairs["pair"]).set_index(self.index)


def _unit(vectors: Any) -> Any:
    return (np.nan_to_num(on_grid(vectors)) / GRID).astype(np.float32)


def _products(left: Any, of: pd.Series[Any], right: Any, to: pd.Series[Any]) -> Any:
    return np.einsum("ij,ij->i", left[of], right[to]).astype(np.float64)


def _shared(left: Any, of: pd.Series[Any], right: Any, to: pd.Series[Any]) -> Any:
    known = (np.diff(left.indptr)[of] > 0) & (np.diff(right.indptr)[to] > 0)
    return np.where(known, np.asarray(left[of].multiply(right[to]).sum(axis=1)).ravel(), np.nan)


def _best(long: pd.DataFrame, column: str, name: str) -> dict[str, Any]:
    ordered = long.sort_values(["pair", column], ascending=[True, False])
    first = ordered.groupby("pair")[column].head(3).groupby(ordered["pair"])
    return {f"{name}best": first.first(), f"{name}top3": first.mean()}
