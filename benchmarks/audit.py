"""Hold pinned versions against known advisories, without a network.

    git clone https://github.com/pypa/advisory-database
    python -m benchmarks.audit requirements.lock advisory-database/vulns

Reads files of the Open Source Vulnerability format, such as those of the PyPA. Ends with 1 where a
pinned version is named by one. How new the newest file is says how much that is worth.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lock", type=Path, help="lines of NAME==VERSION")
    parser.add_argument("folder", type=Path, help="a folder of YAML files by package")
    asked = parser.parse_args()
    pinned = pins(asked.lock.read_text(encoding="utf-8"))
    read = {
        name: [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(files)]
        for name in pinned
        if (files := [*(asked.folder / name).glob("*.yaml")])
    }
    told = [advisory for advisories in read.values() for advisory in advisories]
    hits = [
        f"{name} {pinned[name]}: {advisory['id']} {', '.join(advisory.get('aliases', ()))}"
        for name, advisories in read.items()
        for advisory in advisories
        if names(advisory, Version(pinned[name]))
    ]
    print("\n".join(hits) or "no pinned version is named")
    newest = max((str(advisory["modified"]) for advisory in told), default="none")
    print(
        f"{len(pinned)} packages, {len(read)} with advisories, {len(told)} advisories, "
        f"the newest of {newest[:10]}; {len(hits)} name a pinned version"
    )
    raise SystemExit(bool(hits))


def pins(text: str) -> dict[str, str]:
    """Return pinned versions by normalised name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def names(advisory: Mapping[str, Any], version: Version) -> bool:
    """Say whether an advisory that was not withdrawn names a version."""
    if advisory.get("withdrawn"):
        return False
    return any(
        str(version) in map(str, affected.get("versions", ()))
        or any(_within(events, version) for events in _ranges(affected))
        for affected in advisory.get("affected", ())
    )


def _ranges(affected: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    for told in affected.get("ranges", ()):
        if told["type"] == "ECOSYSTEM":
            yield told["events"]


def _within(events: list[dict[str, Any]], version: Version) -> bool:
    inside = False
    for event in events:
        ((kind, said),) = event.items()
        edge = Version("0" if str(said) == "0" else str(said))
        if kind == "introduced":
            inside |= version >= edge
        elif kind == "fixed":
            inside &= version < edge
        elif kind == "last_affected":
            inside &= version <= edge
    return inside


if __name__ == "__main__":
    main()
