"""Score briefs in batch and publish whole runs."""
