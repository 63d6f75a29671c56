"""The commands of `kolmatch`, by what they are about."""
