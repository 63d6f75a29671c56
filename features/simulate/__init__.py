"""A seeded world: a market of brands and KOLs whose truth is known, for tests and the demo."""

from features.simulate.world import World, simulate

__all__ = ["World", "simulate"]
