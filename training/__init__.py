"""Learn from what past collaborations brought, and show whether the model is better."""
