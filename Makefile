# slo_guard: `make run` sets everything up and starts the demo; `make test` sets everything up and runs all tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := deploy/requirements

.DEFAULT_GOAL := help
.PHONY: help run test lint reference bench dashboard pictures wheel peers lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/run.stamp ## set up and start the demo: the daemon on a simulated Mission Control
	$(BIN)/slo-guard demo

test: $(VENV)/dev.stamp peers lint ## set up, lint, and run all tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

reference: $(VENV)/dev.stamp ## write the tables of all config and rule fields anew
	$(BIN)/slo-guard schema config --format markdown > config/reference.md
	$(BIN)/slo-guard schema rules --format markdown > rules/reference.md
	$(BIN)/slo-guard schema tests --format markdown > rules/tests-reference.md

bench: $(VENV)/dev.stamp peers ## measure; see tests/benchmarks/README.md
	$(BIN)/python -m tests.benchmarks

wheel: $(VENV)/run.stamp ## build the wheel in dist/, for a machine without the repository
	$(BIN)/python -m hatchling build -t wheel -d dist

dashboard: $(VENV)/dev.stamp ## build Grafana's dashboards from the shipped rules
	$(BIN)/python -m deploy.grafana

pictures: $(VENV)/dev.stamp peers ## draw the pictures of the documents anew (some minutes)
	$(BIN)/python -m tests.pictures.dashboard
	$(BIN)/python -m tests.pictures.pages
	$(BIN)/python -m tests.pictures.slack

peers: ## install the real peers (prometheus, promtool, alertmanager, postgres, chromium) where this user may
	@deploy/install-peers

lock: $(VENV)/dev.stamp ## resolve the lock files anew from pyproject.toml
	$(BIN)/pip install --quiet uv
	deploy/requirements/resolve $(BIN)/uv

clean: ## remove what the targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

$(VENV)/pyvenv.cfg:
	@deploy/make-venv "$(PYTHON)" $(VENV)

$(VENV)/run.stamp: $(VENV)/pyvenv.cfg $(LOCKS)/build.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/build.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp $(LOCKS)/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/dev.lock
	@touch $@
