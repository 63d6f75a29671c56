"""What SECURITY.md says of the code itself: no pickle, no code from data, no port, no telemetry."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for package in ("features", "matcher", "serving", "training")
    for path in sorted((ROOT / package).rglob("*.py"))
]
MODULES = {"pickle", "cPickle", "_pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve"}
MODULES |= {"skops", "yaml"}
SERVERS = {"socketserver", "http", "xmlrpc", "flask", "fastapi", "uvicorn", "aiohttp", "tornado"}
MODULES |= SERVERS
CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {"torch.load", "yaml.load", "os.system", "os.popen", "pyfunc.load_model"}
ATTRIBUTES |= {"pd.read_pickle", "pandas.read_pickle"}
ATTRIBUTES |= {"socket.socket", "create_server", "start_server", "serve_forever", "listen"}


def offences(source: str) -> list[str]:
    """Return what in a module could run code that data brought, or opens a port."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if (node.module or "").split(".")[0] in MODULES else []
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS or any(f".{name}".endswith(f".{bad}") for bad in ATTRIBUTES):
                found.append(name)
            for word in node.keywords:
                told = (word.arg, ast.unparse(word.value))
                if told in {("allow_pickle", "True"), ("shell", "True"), ("autoescape", "False")}:
                    found.append("=".join(map(str, told)))
            if name in {"np.load", "np.lib.format.read_array"}:
                told_of = {word.arg for word in node.keywords}
                found += [] if "allow_pickle" in told_of else [f"{name} without allow_pickle"]
    return found


def test_the_search_finds_each_kind() -> None:
    bad = [
        "import joblib",
        "from pickle import loads",
        "eval(text)",
        "torch.load(path)",
        "mlflow.pyfunc.load_model(uri)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "from http.server import HTTPServer",
        "server = socket.create_server(('', 80))",
    ]
    assert [source for source in bad if not offences(source)] == []
    assert offences("model.eval(); np.load(path, allow_pickle=False)") == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_ours_runs_what_data_brings_or_listens(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == []


_ASK = """
import sys
from pathlib import Path
from matcher.registry import Registry
assert "mlflow" not in sys.modules
Registry(Path(sys.argv[1])).client
from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION as allowed
from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT as silent
from mlflow.telemetry.client import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
print(silent.get(), allowed.get(), is_telemetry_disabled(), get_telemetry_client())
"""


def test_mlflow_reads_no_pickle_and_tells_nobody(tmp_path: Path) -> None:
    told = {"MLFLOW_DISABLE_TELEMETRY": "false", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true"}
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(tmp_path)],
        env=os.environ | told | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["True", "False", "True", "None"]


def test_every_test_and_module_that_the_pages_name_is_there() -> None:
    for page in (ROOT / "SECURITY.md", ROOT / "docs" / "ml_test_score.md"):
        named = set(
            re.findall(
                r"`((?:tests|features|matcher|serving|training|docs)/[\w/.]+)`",
                page.read_text("utf-8"),
            )
        )
        assert named
        assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
