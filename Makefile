# One target per step of CI, and the two commands of the README: `make demo` and `make test`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Another interpreter, torch build or package index: make setup PYTHON=python3.12 TORCH_SPEC=torch==2.12.0
PYTHON ?= python3
TORCH_SPEC ?= torch==2.13.0
TORCH_INDEX ?=
EXTRAS ?= dev
# Test processes; each runs its frameworks on one thread.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# Errors only: the build backend warns about every editable installation.
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
STAMP := $(VENV)/.setup-complete
CHOICES := $(VENV)/.setup-choices
CHOSEN := $(PYTHON) | $(TORCH_SPEC) | $(TORCH_INDEX) | $(EXTRAS)

.PHONY: help setup demo test test-slow lint format golden bench grokking clean FORCE

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F '\t' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with the pinned versions; does nothing when it is up to date

# The file changes only when a choice on the command line does, so that alone triggers a new installation.
$(CHOICES): FORCE
	@mkdir -p $(VENV)
	@printf '%s\n' '$(CHOSEN)' | cmp -s - $@ || printf '%s\n' '$(CHOSEN)' > $@

$(STAMP): pyproject.toml requirements/constraints.txt $(CHOICES)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 needed, {sys.executable} is {v[0]}.{v[1]}; name another: make setup PYTHON=python3.12")'
	@want=$$($(PYTHON) -c 'import sys; print(sys.version_info[:2])'); \
	 have=$$($(BIN)/python -c 'import sys; print(sys.version_info[:2])' 2>/dev/null || echo none); \
	 if [ "$$want" != "$$have" ]; then $(PYTHON) -m venv --clear $(VENV); printf '%s\n' '$(CHOSEN)' > $(CHOICES); fi
	@echo "setup: $(TORCH_SPEC) and the versions of requirements/constraints.txt into $(VENV); a few minutes the first time"
	@$(PIP) -c requirements/constraints.txt pip setuptools
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH_SPEC)'
	@$(PIP) -c requirements/constraints.txt -e '.[$(EXTRAS)]'
	@echo "setup: done, $$($(BIN)/toolkit --version)"
	@touch $@

demo: setup ## The default training, its evaluation and a report (about ten minutes on a laptop)
	@mkdir -p runs
	$(BIN)/toolkit rl train --json > runs/demo.json
	@run=$$($(BIN)/python -c 'import json; print(json.load(open("runs/demo.json"))["run"])'); \
	 $(BIN)/toolkit rl eval "$$run"; $(BIN)/toolkit rl report "$$run"

test: setup ## The suite without the slow marks
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not gpu"

test-slow: setup ## The long forms: kill-and-resume, invariance, calibration
	$(BIN)/python -m pytest -n $(WORKERS) -m "slow and not gpu" --timeout 3600

lint: setup ## Style, imports between packages, whitespace
	$(BIN)/ruff check .
	$(BIN)/lint-imports

format: setup ## Apply what the linter can fix
	$(BIN)/ruff check --fix .

golden: setup ## Rewrite the golden files; look at the diff and say why in the change
	$(BIN)/python -m pytest tests/golden -p no:randomly --regenerate-golden

bench: setup ## Throughput and start-up: each prints a table and writes benchmarks/results/
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

grokking: setup ## The README's table and figure: what is missing of some hundred trainings, hours on two cores
	$(BIN)/python benchmarks/grokking.py --readme README.md

clean: ## Remove caches and builds; runs and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
