# The commands of this project; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CATALOG ?= examples/catalog

INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off
# A line for each package while it is fetched, and none for the many that are there already.
PROGRESS := | grep --line-buffered -E '^(Collecting|Building|Installing|Successfully|ERROR)' | cut -c1-100

# Where `make gen` writes; a test generates into another folder and compares.
OUT ?= client
PROTOS := $(shell find protos -name '*.proto' | sort)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version): say make PYTHON=…"; exit 1; }
	@echo "==> Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.server: pyproject.toml | $(BIN)/python
	@echo "==> Installing the server (about a minute the first time)"
	@$(INSTALL) -e '.[server]' $(PROGRESS)
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.server
	@echo "==> Installing what the tests need"
	@$(INSTALL) -e '.[test]' $(PROGRESS)
	@touch $@

.PHONY: demo
demo: $(VENV)/.server ## Start a server, load agents for a sample project, and show what was chosen and why
	@$(BIN)/ignis demo

.PHONY: test
test: $(VENV)/.test ## Run the whole test suite against real parts
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: serve
serve: $(VENV)/.server ## Serve the catalog in CATALOG (default: the sample catalog)
	@$(BIN)/ignis serve --catalog $(CATALOG)

.PHONY: check
check: $(VENV)/.test ## Check format, lint, types, imports and protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against protos/released.binpb

.PHONY: fix
fix: $(VENV)/.test ## Format, and mend what the linters can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format --write

.PHONY: gen
gen: $(VENV)/.test ## Generate the Python stubs from protos/, and the JSON Schema of workflows
	@$(MAKE) --no-print-directory stubs PYTHON=$(CURDIR)/$(BIN)/python
	@$(BIN)/ignis workflow schema > docs/workflow.schema.json

.PHONY: stubs
stubs: # As gen, with the PYTHON and into the OUT that are given; protoc finds its plugins beside that Python.
	@mkdir -p $(OUT)
	@PATH="$(dir $(PYTHON)):$$PATH" $(PYTHON) -m grpc_tools.protoc -I protos \
		--python_out=$(OUT) --mypy_out=quiet:$(OUT) --grpc_python_out=$(OUT) --mypy_grpc_out=quiet:$(OUT) $(PROTOS)

.PHONY: docs
docs: $(VENV)/.server ## Write docs/signals.md from the table of signals
	@$(BIN)/ignis signals --markdown >docs/signals.md

.PHONY: bench
bench: $(VENV)/.test ## Measure compilation, memory and latency of loading
	@$(BIN)/python -m perf.loading

$(VENV)/.bench: pyproject.toml $(VENV)/.server
	@echo "==> Installing the peers that selection is compared with"
	@$(INSTALL) -e '.[bench]' $(PROGRESS)
	@touch $@

.PHONY: bench-selection
bench-selection: $(VENV)/.bench ## Measure selection on the labelled sets below IGNIS_BENCHMARKS, beside its peers
	@$(BIN)/python -m perf.selection --out perf/results

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
