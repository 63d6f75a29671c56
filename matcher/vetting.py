"""The first load of a model: looked at before LightGBM reads a byte, then tried where it may crash.

A digest tells that files are as they were written. It does not tell that they were written well:
who writes a forest can write its digest, and LightGBM believes what it reads. A child that points
outside its tree, or back to its parent, ends the process or never ends. So the first time that a
workspace meets a model, each forest's structure is checked here, and a process of its own reads
and scores it under a limit of time and memory. What was found good is remembered by its digest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from matcher import trial
from matcher.forest import Forest
from matcher.model import Matcher

TRUST = "KOLMATCH_TRUST_REMOTE_CODE"
"""Variable of the environment that lets models name encoders which run code of their own."""
TIMEOUT = 60.0
"""Seconds that reading and scoring a model once may take: usually it is a tenth of one."""
_END = "end of trees"
_NODES = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_DECISIONS = {0, 2, 4, 6, 8, 10}
"""Numbers compared, what is missing going left or right: no categories."""


@dataclass(frozen=True)
class Vetting:
    """Loads models, each with care the first time.

    Attributes
    ----------
    folder : Path or None
        Where it is remembered which models were found good; ``None`` remembers nothing.
    """

    folder: Path | None = None

    def load(self, folder: Path) -> Matcher:
        """Load a model that `Matcher.save` wrote.

        Raises
        ------
        ValueError
            If it is damaged (`matcher.archive.Fitted.load`), or LightGBM cannot be trusted with it.
        """
        matcher = Matcher.load(folder)
        # A model brings its settings. Whose code runs here is not for a model to decide.
        if matcher.config.encoder.trust_remote_code and os.environ.get(TRUST) != "1":
            raise ValueError(
                f"Got a model whose text encoder {matcher.config.encoder.model!r} runs code of its "
                f"own (trust_remote_code); set {TRUST}=1 if you trust whoever made both"
            )
        self.vet(matcher)
        return matcher

    def vet(self, matcher: Matcher) -> None:
        """Refuse a model that could crash or hang whoever scores with it.

        Raises
        ------
        ValueError
            Naming the forest and what is wrong with it.
        """
        # Another LightGBM may read the same text in another way.
        name = f"{matcher.digest}-lightgbm-{installed('lightgbm')}"
        if self.folder is not None and (self.folder / name).exists():
            return
        forests = matcher.forests
        for file, forest in forests.items():
            if wrong := next(faults(forest), ""):
                raise ValueError(f"Got a model whose {file} is no forest: {wrong}")
        try_out(forests)
        if self.folder is not None:
            with suppress(OSError):  # a disk that cannot be written to: next time again
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / name).touch()


def try_out(forests: Mapping[str, Forest], timeout: float = TIMEOUT) -> None:
    """Let another process read forests and score with them.

    Raises
    ------
    ValueError
        If that crashes it, takes too long or too much memory, or fails.
    """
    texts = [(forest.text.encode(), len(forest.names)) for forest in forests.values()]
    given = b"".join(b"%d %d\n%b" % (len(text), names, text) for text, names in texts)
    if not given:
        return
    command = [sys.executable, "-I", "-S", trial.__file__, str(_library())]
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"Got a model that LightGBM had not read and tried within {timeout:.0f} s"
        ) from None
    if done.returncode < 0:
        raise ValueError(f"Got a model that crashes LightGBM (signal {-done.returncode})")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason told"]
        raise ValueError(f"Got a model that LightGBM cannot use: {said[-1]}")


def faults(forest: Forest) -> Iterator[str]:
    """Tell what is wrong with the structure of a forest, tree by tree.

    LightGBM follows sizes, features and children as they are written. Here sizes must be those of
    the trees, features those that are named, and the children of each tree a tree.
    """
    head, _, rest = forest.text.partition("\n\n")
    told = dict(line.partition("=")[::2] for line in head.split("\n"))
    if told.get("num_class") != "1" or told.get("num_tree_per_iteration") != "1":
        yield "it tells more than one number a row"
    if told.get("max_feature_idx") != str(len(forest.names) - 1):
        yield f"its largest feature is {told.get('max_feature_idx')} of {len(forest.names)}"
    body, end, _ = rest.encode().partition(_END.encode())
    if not end:
        yield f"it has no {_END!r}"
    start = 0
    try:
        for number, size in enumerate(map(int, told.get("tree_sizes", "").split())):
            tree = body[start : start + size].decode()
            if not 0 < size <= len(body) - start or not tree.startswith(f"Tree={number}\n"):
                yield f"tree {number} is not where its size says"
                return
            for wrong in _wrong_in(tree, len(forest.names)):
                yield f"tree {number} {wrong}"
            start += size
    except (ValueError, KeyError) as error:
        yield f"it cannot be read: {error}"
    if body[start:].strip():
        yield "it has trees whose size it does not tell"


def _wrong_in(tree: str, features: int) -> Iterator[str]:
    """Tell what is wrong with one tree."""
    told = dict(line.partition("=")[::2] for line in tree.split("\n"))
    leaves = int(told["num_leaves"])
    values = np.array(told["leaf_value"].split(), dtype=np.float64)
    if leaves < 1 or len(values) != leaves or not np.isfinite(values).all():
        yield f"has {len(values)} values of {leaves} leaves, or some that are no numbers"
    if told["num_cat"] != "0" or told.get("is_linear", "0") != "0":
        yield "has categories or linear leaves, which kolmatch never grows"
    numbers = {name: told[name].split() for name in _NODES}
    if any(len(found) != leaves - 1 for found in numbers.values()):
        yield "has not one split for each leaf but one"
    split = np.array(numbers["split_feature"], dtype=np.int64)
    if ((split < 0) | (split >= features)).any():
        yield "splits by a feature that has no name"
    # LightGBM writes NaN where a split sets apart who is missing: it must be read, no more.
    np.array(numbers["threshold"], dtype=np.float64)
    if not set(map(int, numbers["decision_type"])) <= _DECISIONS:
        yield "decides in a way that kolmatch never does"
    sides = [np.array(numbers[side], dtype=np.int64) for side in _NODES[-2:]]
    # Each leaf and each split but the first hangs under one split, which comes before it.
    due = [*range(-leaves, 0), *range(1, leaves - 1)] if leaves > 1 else []
    if sorted(np.concatenate(sides).tolist()) != due or any(
        (side[side >= 0] <= np.flatnonzero(side >= 0)).any() for side in sides
    ):
        yield "has children that are no tree"


def _library() -> Path:
    """Return LightGBM's shared library, without the seconds that importing its package takes."""
    spec = find_spec("lightgbm")
    root = Path(str(spec.origin)).parent if spec else Path()
    found = sorted(root.glob("**/lib_lightgbm.*"))
    if found:
        return found[0]
    from lightgbm import basic  # it is elsewhere, as in conda

    return Path(basic._LIB._name)  # type: ignore[attr-defined]
