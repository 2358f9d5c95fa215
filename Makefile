# Everything starts from here, and needs only make and Python 3.11 or newer. `make` alone explains.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-live lab test test-engines test-long check bench lock screenshots

VENV := .venv
BIN := $(VENV)/bin
# The flag clients that the gate is measured against: never in the environment that ships.
CLIENTS := .venv-bench
WORKERS ?= 2

# The first interpreter that is new enough; `make setup PYTHON=/path/to/python3.11` names another.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	echo $$candidate; break; fi; done)

# uv installs from the index that pip is set up to use, so one setting serves both.
UV = export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=$${UV_LINK_MODE:-copy}; \
	index=$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null || true)}; \
	if [ -n "$$index" ] && [ -z "$${UV_DEFAULT_INDEX:-}$${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	$(BIN)/uv

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp-package ## install everything, hash-checked, into .venv

# What `make demo` leaves is what `make lab` opens; a store of your own, named in the environment, comes first.
ifeq ($(WORKBENCH_STORE)$(WORKBENCH_GATE)$(WORKBENCH_HOME),)
demo lab: export WORKBENCH_STORE := $(CURDIR)/.home/store
demo lab: export WORKBENCH_GATE := $(CURDIR)/.home/gate
demo demo-live lab: export WORKBENCH_HOME := $(CURDIR)/.home
endif
# An environment with Prefect that is there already can be named; else its own is made from its own lock.
ifeq ($(WORKBENCH_PREFECT_ENVIRONMENT),)
demo-live: .venv-prefect/.stamp
demo-live: export WORKBENCH_PREFECT_ENVIRONMENT := $(CURDIR)/.venv-prefect
endif

demo: setup ## the first two minutes: pause, proof, refusal, reports, narrow restart
	@$(BIN)/workbench demo

demo-live: setup ## the same on a real Prefect server, nothing recorded (under five minutes)
	@$(BIN)/workbench demo --live

lab: setup ## open JupyterLab on the control panel
	@$(BIN)/workbench lab

test: $(VENV)/.stamp-dev ## run every test but the long ones (browser tests skip where no Chromium is)
	@$(BIN)/pytest -n $(WORKERS) --no-loadscope-reorder

test-long: $(VENV)/.stamp-dev ## kill, fail and cut the power at every call; long histories and walks
	@$(BIN)/pytest -n $(WORKERS) --no-loadscope-reorder -m long -o faulthandler_timeout=7200

# Engines whose live tests there are: each has its own environment, from its own lock.
ENGINES := airflow prefect temporal

# A file is an engine, which is started once: files go side by side, the tests of one do not.
# AGAIN=--last-failed repeats only what failed.
test-engines: $(VENV)/.stamp-dev $(ENGINES:%=.venv-%/.stamp) ## run the tests against real engines, on loopback
	@$(BIN)/pytest -m live -n $(WORKERS) --dist loadfile $(AGAIN) tests/engines/live tests/demo

.venv-%/.stamp: tests/engines/live/%.lock $(VENV)/.stamp-uv
	@echo "Making .venv-$* for the engine's server and workers ..."
	@$(UV) venv --quiet --clear --python $(PYTHON) .venv-$*
	@$(UV) pip install --quiet --python .venv-$*/bin/python --require-hashes -r $<
	@touch $@

check: $(VENV)/.stamp-dev ## lint, format, types, layers, notebooks, budgets
	@.ci/check

bench: $(VENV)/.stamp-dev $(CLIENTS)/.stamp ## measure ratios against bare syncs and flag clients, say what is missed
	@$(BIN)/python -m benchmarks

screenshots: $(VENV)/.stamp-dev ## make the README's pictures again (needs Chromium)
	@$(BIN)/python docs/screenshots.py

lock: $(VENV)/.stamp-uv ## refresh all lock files from pyproject.toml and benchmarks/requirements.in
	@$(UV) --version
	@echo 'uv' | $(UV) $(COMPILE) --no-annotate - --output-file requirements-uv.lock
	@$(UV) $(COMPILE) pyproject.toml --extra build --output-file requirements.lock
	@$(UV) $(COMPILE) pyproject.toml --extra build --extra dev --constraint requirements.lock \
		--output-file requirements-dev.lock
	@$(UV) $(COMPILE) benchmarks/requirements.in --output-file benchmarks/requirements.lock
	@echo 'Locks refreshed; run make test before you commit them.'

COMPILE := pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

$(VENV)/.stamp-uv: requirements-uv.lock
	@if [ -z "$(PYTHON)" ]; then \
		echo "make setup needs Python 3.11 or newer; found $$(python3 --version 2>&1 || true)." >&2; \
		echo "Install it, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { \
		echo "make setup: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/.stamp-runtime: requirements.lock $(VENV)/.stamp-uv
	@echo "Installing $$(grep -c '^[a-z].*==' requirements.lock) locked packages, each checked against its hash ..."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

# The package itself: editable, built by the locked hatchling, so that no network is asked.
$(VENV)/.stamp-package: pyproject.toml $(VENV)/.stamp-runtime
	@$(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock $(VENV)/.stamp-package
	@echo "Installing what the tests need ..."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

$(CLIENTS)/.stamp: benchmarks/requirements.lock $(VENV)/.stamp-uv
	@echo "Installing the flag clients that the gate is measured against into $(CLIENTS) ..."
	@$(UV) venv --quiet --clear --python $(BIN)/python $(CLIENTS)
	@$(UV) pip install --quiet --python $(CLIENTS)/bin/python --require-hashes -r benchmarks/requirements.lock
	@touch $@
