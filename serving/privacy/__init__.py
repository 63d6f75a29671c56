"""What is held on one KOL, and how it is erased."""
