"""What may go wrong with a KOL: named risks, their evidence, and what to do about them."""
