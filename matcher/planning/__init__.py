"""Plans: whom to book, in which mode, for a budget."""
