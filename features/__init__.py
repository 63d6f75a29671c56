"""Turn tables into signals: what is known about a brief, a KOL and the pair at one moment."""
