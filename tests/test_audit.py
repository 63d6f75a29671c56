"""A pinned version that an advisory names is found, and no other."""

from typing import Any

import pytest
from packaging.version import Version

from benchmarks.audit import names, pins


def advisory(*events: dict[str, str], versions: tuple[str, ...] = (), **more: Any) -> Any:
    told = {"versions": list(versions), "ranges": [{"type": "ECOSYSTEM", "events": [*events]}]}
    return {"id": "PYSEC-1", "affected": [told]} | more


@pytest.mark.parametrize(
    ("version", "named"),
    [("0.9", True), ("1.9", True), ("2.0", False), ("2.5", True), ("2.6", True), ("2.7", False)],
)
def test_a_version_is_named_between_where_it_began_and_where_it_was_mended(
    version: str, named: bool
) -> None:
    told = advisory(
        {"introduced": "0"}, {"fixed": "2.0"}, {"introduced": "2.5"}, {"last_affected": "2.6"}
    )
    assert names(told, Version(version)) is named
    assert not names(told | {"withdrawn": "2026-01-01"}, Version(version))


def test_a_version_may_be_named_by_itself() -> None:
    assert names(advisory(versions=("1.0.1",)), Version("1.0.1"))
    assert not names(advisory(versions=("1.0.1",)), Version("1.0.2"))


def test_pins_are_read_by_normalised_name() -> None:
    assert pins("PyYAML==6.0.3\nzope.interface==7.0 ; python_version > '3'\n# a==1\n") == {
        "pyyaml": "6.0.3",
        "zope-interface": "7.0",
    }
