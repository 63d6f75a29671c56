import pandas as pd

from training.markdown import cell


def test_a_cell_keeps_to_itself_whatever_it_holds() -> None:
    assert cell("goal | [a](b)\n*c*") == r"goal \| \[a\](b) \*c\*"
    assert cell("<b>&lt;") == "&lt;b&gt;&amp;lt;"
    assert cell(pd.NA) == "–"
