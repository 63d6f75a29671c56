"""Dask workers, here or on other machines, that run the same kolmatch; what fails is told in words.

Dask is an optional extra: nothing is imported before somebody asks for it.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from features.errors import UserError
from matcher.software import code_version

if TYPE_CHECKING:
    from distributed import Client

EXTRA = "kolmatch[dask]"
PATIENCE = 60.0
"""Seconds within which a scheduler must answer and its workers be there."""
_PACKAGES = ("deltalake", "lightgbm", "numba", "numpy", "pandas", "pyarrow", "scipy")
"""Packages of which another version may change a digit, or what is read."""


@contextmanager
def cluster(
    scheduler: str | None = None, workers: int | None = None, patience: float = PATIENCE
) -> Iterator[Client]:
    """Open a client of workers that all run this kolmatch.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, such as ``tcp://10.0.0.1:8786``. Without one, processes are
        started on this machine, of one thread each, and stopped afterwards.
    workers : int, optional
        How many processes to start, by default one a processor; with `scheduler` how many of its
        workers to wait for, by default one.
    patience : float
        Seconds to wait for them.

    Raises
    ------
    UserError
        If Dask is not installed, the scheduler does not answer, too few workers come or one runs
        other software; inside, if the scheduler goes away or a task kills its workers.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise UserError(
            f"Got --engine dask but Dask is not installed; run: pip install '{EXTRA}'"
        ) from error
    # What it tells on its way is no news to whoever asked for lists.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    with _in_words():
        if scheduler is None:
            import dask.config

            count = workers or _processors()
            # Work that needs a worker which died must fail some time; Dask would wait for ever.
            dask.config.set({"distributed.scheduler.no-workers-timeout": "5 minutes"})
            # What is computed bounds its own memory; Dask's limits would pause or kill it.
            local = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
            )
            with local, Client(local, set_as_default=False) as client:
                check_software(client)
                yield client
            return
        with _connected(scheduler, patience) as client:
            _wait(client, scheduler, workers or 1, patience)
            check_software(client)
            yield client


def software() -> dict[str, str]:
    """Return what a worker must share with whoever asks it."""
    return {
        "kolmatch": code_version("features", "matcher", "serving", "training"),
        "Python": ".".join(platform.python_version_tuple()[:2]),
    } | {name: installed(name) for name in _PACKAGES}


def check_software(client: Client) -> None:
    """Refuse workers that run other software than this process.

    Raises
    ------
    UserError
        Naming one of them and what differs.
    """

    def told() -> dict[str, str]:  # by value, so that a worker without kolmatch can say so
        try:
            from matcher.cluster import software
        except ImportError as error:
            return {"kolmatch": f"none ({error})"}
        return software()

    for worker, found in sorted(client.run(told).items()):
        check_same(worker, found, software())


def check_same(worker: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Refuse a worker's software that is not as expected; errors are those of `check_software`.

    Parameters
    ----------
    worker : str
        Its address.
    found, expected : mapping of str to str
        What `software` says there, and where the question was asked.
    """
    other = [name for name in expected if found.get(name) != expected[name]]
    if other:
        told = ", ".join(f"{name} {found.get(name, 'untold')}" for name in other)
        wanted = ", ".join(f"{name} {expected[name]}" for name in other)
        raise UserError(
            f"Got worker {worker} with {told} but expected {wanted}, as where the command runs; "
            "install the same versions on every machine and start the workers again"
        )


@contextmanager
def _in_words() -> Iterator[None]:
    """Tell what goes wrong with a cluster as a user may read it."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    try:
        yield
    except KilledWorker as error:
        raise UserError(
            f"Got a task that {error.allowed_failures + 1} workers died over, the last at "
            f"{error.last_worker.address}; most often memory ran out: start fewer workers a "
            "machine, give --memory, and look at the workers' logs. What was done is kept for a "
            "day: the same command goes on from there"
        ) from error
    except (NoValidWorkerError, NoWorkerError) as error:
        raise UserError(
            "Got work for workers that are not there any more, and no other came for minutes; "
            "start some, and run the same command again"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise UserError(
            "Got a scheduler that went away in the middle of the work; start it again, and run the "
            "same command: it goes on with what was done"
        ) from error


@contextmanager
def _connected(scheduler: str, patience: float) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(scheduler, timeout=patience, set_as_default=False)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise UserError(
            f"Got scheduler {scheduler!r}, which does not answer ({error}); expected an address "
            "such as tcp://10.0.0.1:8786 of a running `dask scheduler`"
        ) from error
    with client:
        yield client


def _wait(client: Client, scheduler: str, workers: int, patience: float) -> None:
    from distributed import TimeoutError as LateError

    try:
        client.wait_for_workers(workers, timeout=patience)
    except (LateError, TimeoutError) as error:
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        raise UserError(
            f"Got {there} workers at {scheduler} within {patience:.0f} s but expected {workers}; "
            "start more with `dask worker`, or ask for fewer with --workers"
        ) from error


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # a system that does not tell
        return os.cpu_count() or 1
