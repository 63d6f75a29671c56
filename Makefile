# Two commands a newcomer needs: `make demo` and `make test`. Each sets up all it uses.
.DEFAULT_GOAL := help
.PHONY: help demo browser test long check format peers lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo
DEMO_KOLS ?= 1000
DEMO_BRIEFS ?= 240
# The demo's world ends on this day; a real run leaves --as-of out and matches as of now.
DEMO_AS_OF := 2026-06-30

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# `torch==X` takes the CPU build (X+cpu sorts above X) wherever pip's sources offer one.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "kolmatch needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(READY) ## Simulate a market, learn from it and rank KOLs for its open briefs
	rm -rf $(DEMO)
	$(BIN)/kolmatch simulate $(DEMO)/files --kols $(DEMO_KOLS) --briefs $(DEMO_BRIEFS) --seed 7
	$(BIN)/kolmatch check $(DEMO)/files
	$(BIN)/kolmatch ingest $(DEMO)/files --lake $(DEMO)/lake
	$(BIN)/kolmatch train $(DEMO)/lake
	$(BIN)/kolmatch promote $(DEMO)/lake
	$(BIN)/kolmatch match $(DEMO)/lake --as-of $(DEMO_AS_OF) --out $(DEMO)/lists

# Tests open the pages in Chromium: the system's, or else Playwright's own. Where neither can be had
# those tests are skipped, save where CI=true.
browser: $(READY)
	@$(BIN)/python -m tests.serving.browsing || { \
		if test "$$(id -u)" = 0; then root=""; else root="sudo -n"; fi; \
		if command -v apt-get >/dev/null && $$root true 2>/dev/null; then \
			echo "Installing Chromium for the tests of the pages"; \
			$$root apt-get update -qq && \
			$$root env DEBIAN_FRONTEND=noninteractive \
				apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
			$(BIN)/python -m tests.serving.browsing || { \
				$$root $(abspath $(BIN))/playwright install-deps chromium; \
				$(BIN)/playwright install chromium; \
			}; \
		fi; \
		$(BIN)/python -m tests.serving.browsing || \
			echo "No browser can be had here: the tests that need one are skipped"; \
	}

test: $(READY) browser ## Check format, lint, types and imports, and run every test
	$(MAKE) --no-print-directory check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

long: $(READY) ## Run the tests that take minutes: kills, races, damaged files, fuzzing
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long -n 2

check: $(READY) ## Check format, lint, types and imports only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY) ## Rewrite files in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

peers: $(READY) ## Install what benchmarks compare with
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary --editable '.[peers]'

lock: $(READY) ## Pin anew what pyproject.toml asks for
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-lock/bin/python -m pip install --quiet --group dev .
	$(VENV)-lock/bin/python -m pip freeze --exclude kolmatch | sed 's/+cpu$$//' > requirements.lock
	rm -rf $(VENV)-lock

clean: ## Remove everything that the commands above made
	rm -rf $(VENV) $(DEMO) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
