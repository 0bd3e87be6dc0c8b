# Every command a person or CI needs. Nothing is installed outside .venv; only Python, make, git and a package
# registry are expected of the machine.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
READY := .venv/.ready

export DAGSTER_HOME := $(CURDIR)/.dagster
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export MPLBACKEND := Agg

# The first interpreter that can carry the project; `make setup PYTHON=...` overrides.
define find_python
for python in $(PYTHON) python3 python3.11 python3.12 python3.13; do \
  if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
  then echo $$python; exit 0; fi; \
done; \
echo "setup: no suitable Python (tried: $(PYTHON) python3 python3.11 python3.12 python3.13; needed: 3.11 to 3.13 with venv and ensurepip, e.g. 'apt-get install python3-venv')" >&2; exit 1
endef

.PHONY: help setup check test demo dev live lock clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(READY) .dagster/dagster.yaml ## make .venv and install the locked dependencies

# uv comes out of the same hashed lock and installs the rest, ten times as fast as pip. It reads its own registry
# settings, so on a machine where only pip's are set, pip takes over. The lock is complete: nothing is resolved here.
$(READY): requirements.lock pyproject.toml
	@python="$$($(find_python))"; started=$$SECONDS; \
	if [ ! -x $(BIN)/pip ]; then "$$python" -m venv --clear .venv; fi; \
	pip=("$(CURDIR)/$(BIN)/python" -m pip --disable-pip-version-check install --quiet --no-deps); \
	uv=("$(CURDIR)/$(BIN)/uv" pip install --quiet --system-certs --python "$(CURDIR)/$(BIN)/python" --no-deps); \
	echo "setup: installing $$(grep -c '^[a-z]' requirements.lock) locked packages into .venv"; \
	$(BIN)/python docker/lock_part.py requirements.lock uv > .venv/uv.lock; \
	"$${pip[@]}" --require-hashes -r .venv/uv.lock; \
	"$${uv[@]}" --require-hashes -r requirements.lock || { \
	  echo "setup: uv could not install the lock; trying pip"; \
	  "$${pip[@]}" --require-hashes -r requirements.lock; }; \
	"$${pip[@]}" --no-build-isolation --editable .; \
	touch $(READY); echo "setup: ready in $$((SECONDS - started)) s"

# No pool limits here, unlike in docker/: what a killed run held would stay held until a daemon looks.
.dagster/dagster.yaml:
	@mkdir -p .dagster
	@echo 'telemetry: {enabled: false}' > $@

# The SQL is linted as dbt renders it, against a warehouse in memory.
check: setup ## lint, types, layers, SQL style, lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	BAROGRAPH_WAREHOUSE_PATH=:memory: DBT_TARGET_PATH=target/lint DBT_LOG_PATH=target/lint \
	  $(BIN)/sqlfluff lint dbt_project/models
	$(BIN)/python .ci/check_lock.py

# Without an instance of Dagster: what tests run is not this deployment's history. The manifest is made before workers
# could make it at once.
test: setup ## run every test; ARGS="tests/test_x.py" runs some
	$(BIN)/python -c 'from orchestration.manifest import ensure_manifest; ensure_manifest()'
	DAGSTER_HOME= $(BIN)/python -m pytest -rs -p tests.summary -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

demo: setup ## the whole pipeline on the built-in exchange, without a network
	$(BIN)/barograph demo

dev: setup ## the Dagster UI on http://127.0.0.1:3000
	$(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1

live: setup ## one sweep of the real venues (needs the network)
	$(BIN)/barograph capture

lock: setup ## renew requirements.lock from pyproject.toml; what is pinned stays unless it must move
	$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header \
	  pyproject.toml --group dev -o requirements.lock

clean: ## remove what was built and what the demo made; keeps .venv
	rm -rf .barograph .dagster dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache
