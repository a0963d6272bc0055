# The two commands of the README are `make demo` and `make test`; `make check` is for before a commit; CI runs all three.
PYTHON ?=
BIN := .venv/bin
PATHS := packages tests bench scripts
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types layers unit docs lock bench bench-platform clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## make .venv with everything (fetches uv when there is none)
	@$(or $(PYTHON),python3) scripts/bootstrap.py $(if $(PYTHON),--this,)

demo: setup ## the whole way with real models; leaves the platform running (ONCE=1 ends by itself)
	@$(BIN)/python scripts/demo.py $(if $(ONCE),--once,)

test: setup ## the whole test suite; parts a machine lacks are skipped, with the reason
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

check: lint types layers docs unit ## formatting, lint, types, layers, docs, unit and contract tests

lint: setup
	@$(BIN)/ruff format --check $(PATHS)
	@$(BIN)/ruff check $(PATHS)

types: setup
	@$(BIN)/mypy $(PATHS)

layers: setup
	@$(BIN)/lint-imports

unit: setup
	@$(BIN)/python -m pytest -q -n $(JOBS) tests/unit tests/contract

docs: setup
	@$(BIN)/python scripts/docs.py --check

lock: setup ## resolve requirements.lock anew (UPGRADE=1: to the newest versions)
	@$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade,)

bench: setup ## the model server against coglet, in one run
	@$(BIN)/python bench/model_server.py

bench-platform: setup ## the platform: rates beside LitServe and Ray Serve, reads among a million rows, streams, starts
	@$(BIN)/python bench/whole_platform.py

clean: ## remove .venv and caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache
