"""Match briefs to KOLs: who may, who fits, what it brings, and why."""
