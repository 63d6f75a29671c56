"""Seeded worlds whose truth is known, for tests and the demo: a market, and a set of judgments."""

from features.simulate.judged import JudgedSet, judged_set
from features.simulate.world import World, simulate

__all__ = ["JudgedSet", "World", "judged_set", "simulate"]
