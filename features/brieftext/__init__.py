"""A brief in somebody's own words, read into a row of BRIEFS by rules and dictionaries.

`features.brieftext.document` takes text out of a file, `features.brieftext.reader` understands it,
`features.brieftext.draft` makes a row, or a file to edit, of what was understood. Nothing is
learned: the words are those of ``words.toml`` and of ``vocabulary.toml``. What was read is always
given with the words it was read from, and whether it was said or is a guess.
"""
