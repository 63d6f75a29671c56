import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_page_says_what_the_contract_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "tables.py"))["page"]()
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == made, (
        "run python docs/tables.py"
    )
