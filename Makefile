# Two commands do all the set-up on a fresh machine: make demo, make test.
# PYTHON chooses the interpreter (3.10 or newer); the first fitting one otherwise.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	&& { command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests
# a file of tests is one worker's: what its tests share is made once
SIDE_BY_SIDE ?= --numprocesses auto --dist loadfile
# those that need no network, no other process and no second
QUICK := tests/wheelhouse tests/bootstrap/state tests/bootstrap/airflow tests/bundler/lock tests/test_docs.py
# what the unit tests run beside: CI lays a foreign installation, python -m tests.foreign
BESIDE ?=
SEED ?= 7
COUNT ?= 60
CUTS ?= 40
SAMPLE ?= 0

.PHONY: help demo check test unit e2e matrix faults sweep messages lint format bench clean

help: ## Show what there is to make
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' Makefile

$(VENV)/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or newer with venv and ensurepip was found (Debian: apt-get install python3 python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

demo: $(VENV)/ready ## Bundle the newest Airflow, install it with the network cut off, run the example pipeline
	$(BIN)/python -m bench.demo

check: lint ## The fast gate: lint and the quick tests
	$(BIN)/python -m pytest -q -m "not e2e and not network" $(QUICK)

test: lint unit e2e ## Everything that CI runs

unit: $(VENV)/ready ## Unit and integration tests (minutes)
	$(BESIDE) $(BIN)/python -m pytest -m "not e2e" $(SIDE_BY_SIDE) $(TESTS)

e2e: $(VENV)/ready ## Real installs of a real Airflow, cut off from the network
	$(BIN)/python -m pytest -m e2e $(SIDE_BY_SIDE) $(TESTS)

matrix: $(VENV)/ready ## Every Airflow of the matrix, or ONLY=2.10.5/3.11: installed, run, restarted
	$(BIN)/python -m tests.e2e.matrix --only "$(ONLY)"

faults: $(VENV)/ready ## Strike install, upgrade and rollback at every step and at random moments (SEED=7 COUNT=60 CUTS=40)
	$(BIN)/python -m tests.faults --seed "$(SEED)" --count "$(COUNT)" --cuts "$(CUTS)"

sweep: $(VENV)/ready ## Bundle every release on every Python that it supports, or ONLY=2.4, SAMPLE=6 (hours)
	$(BIN)/python -m tests.sweep --only "$(ONLY)" --sample "$(SAMPLE)" --log .sweep.jsonl $(if $(ONLY)$(filter-out 0,$(SAMPLE)),,--write)

messages: $(VENV)/ready ## Bring the Korean catalogue up to date with the source, and name what is not translated
	$(BIN)/python -m tests.messages

lint: $(VENV)/ready ## ruff, mypy strict, and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/ready ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/ready ## Ratios against pip, pex and the way by hand, all measured in one run
	$(BIN)/python -m bench

clean: ## Remove what make made
	rm -rf $(VENV) build dist .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
