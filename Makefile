# What a developer can run. `make test` sets up all it needs in .venv and runs every test.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# What the installed package is made from; a change in any of it installs anew.
SOURCES := pyproject.toml constraints.txt Cargo.toml Cargo.lock README.md clockwork_py/Cargo.toml \
	$(shell find src clockwork_py/src python -type f -not -name '*.pyc' -not -name '*.so')
# Ends what hangs; macOS lacks the command. pytest does the same by itself.
LIMIT := $(if $(shell command -v timeout),timeout --kill-after=30 45m)
# Processes that run tests. Tests mostly wait, so that there may be more of them than cores.
WORKERS ?= 4

.PHONY: help install fmt lint types test bench clean

help:
	@echo 'make install   install Clockwork and what tests need into $(VENV)'
	@echo 'make fmt       format all code'
	@echo 'make lint      check the format, and look for mistakes'
	@echo 'make types     check types, and the stubs against the installed package'
	@echo 'make test      run all tests'
	@echo 'make bench     print the benchmarks'
	@echo 'make clean     remove what make made'

install: $(INSTALLED)

$(INSTALLED): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[local,test]'
	touch $@

fmt: install
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: install
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: install
	$(BIN)/mypy
	for example in examples/*/main.py; do $(BIN)/mypy $$example || exit 1; done
	cd tests && $(abspath $(BIN))/python -m mypy.stubtest clockwork._core

test: install
	$(LIMIT) cargo test --workspace --locked --quiet
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

bench: install
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) target .pytest_cache .mypy_cache .ruff_cache .hypothesis
