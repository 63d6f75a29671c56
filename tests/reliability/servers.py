"""Servers of other people's that kolmatch can work with, started here: Postgres, an S3, MLflow."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PYTHON = os.environ.get("KOLMATCH_SERVERS_PYTHON", sys.executable)
"""Python that has what the servers need; the commands themselves need none of it."""
NEEDED = "psycopg, boto3, moto.server"
BUCKET = "kolmatch-models"
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_COUNT = """
import sys, boto3
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=sys.argv[2])
print(sum(len(page.get("Contents", ())) for page in pages))
"""
_MAKE = """
import sys, boto3
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1")
s3.create_bucket(Bucket=sys.argv[2])
"""
PATIENCE = 180.0
"""Seconds within which a server must answer."""


def lacking() -> str:
    """Return what is not there to start the servers with; empty where all is."""
    if programs() is None:
        return "no PostgreSQL programs (Debian: apt-get install postgresql)"
    asked = [PYTHON, "-c", f"import {NEEDED}"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        return (
            f"{PYTHON} lacks one of {NEEDED}; pip install 'psycopg[binary]' boto3 'moto[server]', "
            "or name a Python that has them and MLflow in KOLMATCH_SERVERS_PYTHON"
        )
    return ""


def programs() -> Path | None:
    """Return the folder of initdb and postgres: Debian keeps them off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    on_path = shutil.which("initdb")
    found = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in reversed(found) if (path / "postgres").exists()), None)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL of our own on the loopback, and yield the address of its database."""
    home = programs()
    assert home is not None
    folder = Path(tempfile.mkdtemp(prefix="kolmatch-postgres-"))
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    port = free_port()
    try:
        made = [home / "initdb", "-D", folder / "data", "-A", "trust", "-U", "mlflow", "-N"]
        subprocess.run(
            [*map(str, made)], check=True, capture_output=True, user=user, cwd=folder, text=True
        )
        asked = ["-D", folder / "data", "-p", port, "-h", "127.0.0.1", "-k", ""]
        with _process([home / "postgres", *asked], folder / "log", user=user, cwd=folder):
            create = [home / "createdb", "-h", "127.0.0.1", "-p", port, "-U", "mlflow", "mlflow"]
            _until(
                lambda: (
                    not subprocess.run(
                        [*map(str, create)], capture_output=True, check=False
                    ).returncode
                )
            )
            yield f"postgresql://mlflow@127.0.0.1:{port}/mlflow"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """Run an S3 that holds an empty bucket, and yield its address."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with _process([PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", port], folder / "s3.log"):
        _until(lambda: _answers(uri))
        _ask_s3(_MAKE, uri)
        yield uri


def objects(uri: str) -> int:
    """Return how many objects the bucket holds."""
    return int(_ask_s3(_COUNT, uri))


@contextmanager
def mlflow_server(folder: Path, database: str, s3: str) -> Iterator[str]:
    """Run an MLflow server as the page on operations says, and yield its address."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    settings = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_S3_ENDPOINT_URL": s3,
    }
    asked = ["server", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    asked += ["--backend-store-uri", database, "--artifacts-destination", f"s3://{BUCKET}"]
    command = [PYTHON, "-m", "mlflow", *asked]
    with _process(command, folder / "mlflow.log", settings | _KEYS, cwd=folder):
        _until(lambda: _answers(f"{uri}/health"))
        yield uri


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def _process(
    command: list[object],
    log: Path,
    settings: Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: Path | None = None,
) -> Iterator[None]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "AWS_"))}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*map(str, command)],
            env=environment | dict(settings or {}),
            stdout=file,
            stderr=subprocess.STDOUT,
            user=user,
            cwd=cwd,
            # Its workers end with it.
            start_new_session=True,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ask_s3(program: str, uri: str) -> str:
    done = subprocess.run(
        [PYTHON, "-c", program, uri, BUCKET],
        env=os.environ | _KEYS,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(uri, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _until(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing answers within {PATIENCE:.0f} s")
        time.sleep(0.3)
