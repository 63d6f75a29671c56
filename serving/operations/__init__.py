"""What whoever runs kolmatch wants to know: how things stand, and what ails."""
