"""What runs in a process that may be killed: a command of kolmatch, and looks at what it left.

Modules are imported by the fork server once, and used by its children alone: neither Arrow's, nor
Delta's, nor OpenMP's threads would outlive a fork.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import re
import resource
import signal
import socket
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRELOAD = (
    "deltalake",
    "filelock",
    "jinja2",
    "lightgbm",
    "matplotlib.figure",
    "mlflow",
    "mlflow.models",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "numpy",
    "pandas",
    "pandera.pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "scipy.optimize",
    "sklearn.linear_model",
    "sklearn.isotonic",
    "xlsxwriter",
    "features.encoder",
    "features.ingest",
    "features.lake",
    "matcher.cli",
    "matcher.registry",
    "matcher.screens",
    "serving.job",
    "serving.page",
    "serving.plan_files",
    "serving.workbook",
    "serving.workflow",
    "training.job",
    "training.retrain",
    "tests.conftest",
    "tests.reliability.child",
)
_CLOCK = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?Z?")
_VERSION = re.compile(r"(?<=^retrain)-v(\d+)")


@dataclass(frozen=True)
class Stop:
    """Where a process kills itself.

    Attributes
    ----------
    name : str
        What people call the place.
    target : str
        ``module:function`` or ``module:Class.method``.
    before : bool
        Whether it dies before the call or after it.
    nth : int
        At which call that counts.
    said : str
        Where given, only calls count that have it among their arguments.
    """

    name: str
    target: str
    before: bool = True
    nth: int = 1
    said: str = ""

    def arm(self) -> None:
        """Let this process die there."""
        module, _, path = self.target.partition(":")
        *owners, last = path.split(".")
        owner: Any = importlib.import_module(module)
        for name in owners:
            owner = getattr(owner, name)
        real: Callable[..., Any] = getattr(owner, last)
        calls = 0

        def deadly(*given: Any, **named: Any) -> Any:
            nonlocal calls
            counts = not self.said or self.said in (*given, *named.values())
            calls += counts
            now = counts and calls == self.nth
            if now and self.before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*given, **named)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, last, deadly)


def capped(arguments: list[str], place: Path, log: Path, kind: int, most: int) -> None:
    """Run one command under a limit of `resource`."""
    resource.setrlimit(kind, (most, most))
    command(arguments, place, log)


def command(arguments: list[str], place: Path, log: Path, stop: Stop | None = None) -> None:
    """Run one command as the command line does, but for an encoder without weights."""
    os.chdir(place)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), "utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(os.dup(2), "wb"), "utf-8", line_buffering=True)
    import features.encoder
    from matcher.cli import main
    from tests.conftest import WordEncoder

    features.encoder.SentenceEncoder = lambda config: WordEncoder()  # type: ignore[assignment,misc]
    socket.socket.listen = _no_port  # type: ignore[method-assign]
    if stop is not None:
        stop.arm()
    try:
        main(arguments)
    finally:
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(f"cpu {used.ru_utime + used.ru_stime:.1f} s, {used.ru_maxrss / 1024:.0f} MiB")


def _no_port(*_: object) -> None:
    raise AssertionError("a command listens on a port")


def seen(lake: Path) -> dict[str, Any]:
    """Return all that readers of a workspace can see, as digests."""
    return {
        "commits": sorted(int(path.stem) for path in (lake / "commits").glob("*.json")),
        "tables": _tables(lake),
        "runs": _runs(lake),
        "files": _files(lake),
        **_models(lake),
    }


def watch(lake: Path, end: Path) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Read tables and runs over and over until a file is there; return what they held, once each.

    The file is made when the writers have ended: the last look comes after that. What is seen
    while an erasure is at work counts for nothing, as commands refuse the lake then.
    """
    from features.errors import UserError

    found: list[tuple[dict[str, str], dict[str, str]]] = []
    ended = False
    while not ended:
        ended = end.exists()
        before = _erasures(lake)
        try:
            state = _tables(lake), _runs(lake)
        except UserError:
            if "at work" not in before and _erasures(lake) == before:
                raise
            continue
        if "at work" not in before and _erasures(lake) == before and state not in found:
            found.append(state)
    return found


def _erasures(lake: Path) -> tuple[str, ...]:
    """Return what erasures there were, and whether one is at work."""
    from features.lake import ERASING

    done = sorted(path.name for path in (lake / "erasures").glob("*.json"))
    return (*done, "at work") if (lake / ERASING).exists() else tuple(done)


def refused(lake: Path) -> bool:
    """Say whether the lake is refused, since an erasure was cut off in it."""
    from features.errors import UserError
    from features.lake import open_data

    try:
        open_data(lake)
    except UserError as error:
        if "an erasure is at work or was cut off" in str(error):
            return True
        raise
    return False


def first_of_run(lake: Path, run_id: str) -> str:
    """Return the KOL whom a run ranks first."""
    from serving.publish import read_run

    return str(read_run(lake, run_id).matches["kol_id"].iloc[0])


def lists(lake: Path) -> str:
    """Return a digest of all that the latest run tells, whichever model and settings made it."""
    from features.arrow import content_hash
    from serving import publish as published
    from serving import spool

    run = published.latest_run(lake)
    assert run is not None
    told = published.read_run(lake, run.run_id)
    frames = {
        "matches": spool.with_objects(told.matches, spool._object_text),
        "exclusions": told.exclusions,
        **told.details,
    }
    parts = [
        content_hash(spool.SPECS[n], spool.checked(spool.SPECS[n], f)) for n, f in frames.items()
    ]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _tables(lake: Path) -> dict[str, str]:
    """Return what the lake's tables hold; nothing before the first ingest has ended."""
    from features.arrow import content_hash
    from features.contract import SPECS
    from features.errors import UserError
    from features.lake import Lake

    try:
        tables = Lake(lake).read()
    except UserError as error:
        if re.search("Got no lake at|whose first ingest was cut off", str(error)):
            return {}
        raise
    return {name: content_hash(SPECS[name], frame) for name, frame in tables}


def _runs(lake: Path) -> dict[str, str]:
    """Return the content of each published run, worked out anew from what is read back."""
    from serving import publish as published
    from serving import spool

    found = {}
    for run in published.runs(lake):
        told = published.read_run(lake, run.run_id)
        frames = {
            "matches": spool.checked(
                spool.SPECS["matches"], spool.with_objects(told.matches, spool._object_text)
            ),
            "exclusions": spool.checked(spool.SPECS["exclusions"], told.exclusions),
        }
        frames |= {
            name: spool.checked(spool.SPECS[name], frame) for name, frame in told.details.items()
        }
        found[run.run_id] = published._content(told.run, frames)
    return found


def _files(lake: Path) -> dict[str, str]:
    """Return a digest of each file of lists, plans and reports, whatever the time in it.

    A report is of a version, whose number may be another after a kill: MLflow gives none twice.
    """
    return {
        str(path.relative_to(lake).with_name(_VERSION.sub("-vN", path.name))): _digest(path)
        for folder in ("lists", "reports")
        for path in sorted((lake / folder).rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.parts)
    }


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:  # raises if it was cut short
            data = b"".join(book.read(name) for name in sorted(book.namelist()))
    if path.suffix == ".html" and not data.rstrip().endswith(b"</html>"):
        raise AssertionError(f"{path} is cut short")
    if (version := _VERSION.search(path.name)) is not None:
        number = version[1].encode()
        own = rb'\bv(ersion )?%b\b|"(version|champion)": "%b"' % (number, number)
        data = re.sub(own, b"vN", data, flags=re.IGNORECASE)
    return hashlib.sha256(_CLOCK.sub(b"", data)).hexdigest()[:16]


def _models(lake: Path) -> dict[str, Any]:
    from features.errors import UserError
    from matcher.registry import CHALLENGER, CHAMPION, MODEL_NAME, Registry

    if not (lake / "mlflow.db").exists():
        return {"versions": {}, "champion": None, "challenger": None, "champions": []} | _NO_ORPHANS
    registry = Registry(lake)
    client = registry.client
    versions = {}
    for made in client.search_model_versions(f"name = '{MODEL_NAME}'"):
        version = str(made.version)
        try:
            versions[version] = (registry.status(version), registry.load(version).hash)
        except UserError as error:
            versions[version] = (registry.status(version), f"cannot be loaded: {error}")
    loaded = registry.champion()
    return {
        "versions": versions,
        "champion": None
        if loaded is None
        else (registry.resolve(CHAMPION), loaded.version, loaded.matcher.hash, loaded.stale),
        "champions": registry.champions(),
        "challenger": registry.resolve(CHALLENGER),
        **_orphans(lake, registry, versions),
    }


_NO_ORPHANS: dict[str, Any] = {"running": 0, "half_models": 0, "empty_versions": 0, "stray": []}


def _orphans(lake: Path, registry: Any, versions: dict[str, tuple[str, str]]) -> dict[str, Any]:
    client = registry.client
    experiment = client.get_experiment_by_name(registry.store.experiment)
    if experiment is None:
        return _NO_ORPHANS
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    models = client.search_logged_models([experiment.experiment_id], max_results=1000)
    known = {run.info.run_id for run in runs} | {model.model_id for model in models} | {"models"}
    artifacts = lake / "mlartifacts"
    folders = [*artifacts.glob("*"), *(artifacts / "models").glob("*")]
    leases = [str(path.relative_to(lake)) for path in (lake / "leases").glob("*")]
    return {
        "running": sum(run.info.status == "RUNNING" for run in runs),
        "half_models": sum(str(model.status) != "READY" for model in models),
        "empty_versions": sum("cannot be loaded" in hash_ for _, hash_ in versions.values()),
        "stray": [str(path.relative_to(lake)) for path in folders if path.name not in known]
        + leases,
    }
