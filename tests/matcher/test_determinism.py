"""The same lists, bit for bit, in chunks of any size and from rows in any order."""

from dataclasses import replace

import pandas as pd

from features.simulate import World
from features.vectors import Embeddings
from matcher.model import Matcher


def test_neither_chunks_nor_row_orders_change_a_list(
    matcher: Matcher, world: World, word_embeddings: Embeddings, open_ids: list[str]
) -> None:
    usual = matcher.match(world.tables, open_ids, world.as_of, word_embeddings)
    serving = matcher.config.serving.changed(chunk_pairs=1)
    small = replace(matcher, config=matcher.config.model_copy(update={"serving": serving}))
    mixed = world.tables.replace(
        **{
            name: frame.sample(frac=1, random_state=4).reset_index(drop=True)
            for name, frame in world.tables
        }
    )
    for found in (
        small.match(world.tables, open_ids, world.as_of, word_embeddings),
        matcher.match(mixed, open_ids, world.as_of, word_embeddings),
    ):
        pd.testing.assert_frame_equal(found.matches, usual.matches, check_exact=True)
        pd.testing.assert_frame_equal(found.exclusions, usual.exclusions, check_exact=True)
        for name, frame in usual.details.items():
            pd.testing.assert_frame_equal(found.details[name], frame, check_exact=True)
