"""Reasons in words, Chinese and English, each built on real figures.

One function a family of signals. It gets one match's figures and says the most telling thing in
its favour that it can prove, or nothing: there is no reason without a number behind it, and what is
no better than usual is no reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matcher.reasons import merits, relevance
from matcher.reasons.figures import Facts, Reason, short, wan

__all__ = ["PHRASES", "drawn", "short", "wan"]

PHRASES: Mapping[str, Callable[[Facts], Reason | None]] = {
    "content": relevance.content,
    "affinity": relevance.affinity,
    "vectors": relevance.vectors,
    "audience": relevance.audience,
    "category": relevance.category,
    "price": merits.price,
    "reach": merits.reach,
    "engagement": merits.engagement,
    "record": merits.record,
    "sponsored": merits.sponsored,
    "growth": merits.growth,
    "style": merits.style,
    "reputation": merits.reputation,
    "rivalry": merits.rivalry,
}
"""How each family speaks. A family that is missing (the brief alone, say) never is a reason."""


def drawn(chance: float, rank: float) -> Reason:
    """Say that a place was drawn by chance, the chance that was, and the rank without it."""
    share = f"{chance:.0%}" if chance >= 0.0995 else f"{chance:.1%}"
    return Reason(
        f"Drawn by chance, to learn about KOLs further down the ranking: ranked {rank:.0f}, with a "
        f"chance of {share} to be on this list",
        f"为了解排名靠后的达人而随机抽取：原排名第 {rank:.0f} 位，入选概率 {share}",
        {"explore.rank": rank, "explore.chance": float(f"{chance:.6g}")},
    )
