# Everything runs in .venv, which the first target makes from the package index: Python 3.11 or newer is all it needs.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-measured test-aside check bench bench-large crash fuzz soak-actors soak-chains build clean

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
CONFIG := setup.cfg pyproject.toml
READY := .venv/ready
READY_TO_CHECK := .venv/ready-to-check

help:
	@echo "make demo    kill a workflow half way and see it go on"
	@echo "make test    run the tests, with coverage"
	@echo "make check   format, lint, layers and types"
	@echo "make bench   run the benchmarks"
	@echo "make bench-large  park a million workflows, kill the process, open the journal again (10 to 20 minutes, 1 GB of disk)"
	@echo "make crash   kill processes at every named point and check what is left"
	@echo "make fuzz    try far more random payloads, trees of actors and families of workflows than the tests do (FUZZ=100 times as many)"
	@echo "make soak-actors   tell 100,000 actors eleven million messages, and count what comes (minutes)"
	@echo "make soak-chains   signal 200,000 times between two workflows that continue as new and are killed, and count (minutes)"
	@echo "make build   make the source archive and the wheel in dist/"
	@echo "make clean   remove everything that was made"

demo: $(READY)
	@$(BIN)/python examples/crash_and_resume.py

test: $(READY)
	@$(BIN)/coverage erase
	@$(MAKE) --no-print-directory -j2 test-measured test-aside; status=$$?; \
	echo "== tests that ran beside these"; cat .venv/aside.log; exit $$status
	@$(BIN)/coverage combine -q
	@echo "== coverage"
	@$(BIN)/coverage report
	@echo "== coverage of the core: at least 97 %"
	@$(BIN)/coverage report --include='runtime/core/*' --fail-under=97
	@echo "== coverage of the storage: at least 97 %"
	@$(BIN)/coverage report --include='storage/*' --fail-under=97

# Two processes, so that both processors have work. To measure coverage doubles the time of a test that computes much.
test-measured: $(READY)
	@$(BIN)/coverage run -m pytest -q -m "not aside"

test-aside: $(READY)
	@$(BIN)/python -m pytest -q -m aside >.venv/aside.log 2>&1

check: $(READY_TO_CHECK)
	@echo "== ruff"
	@$(BIN)/ruff format --check --quiet --diff .
	@$(BIN)/ruff check --quiet .
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== pyright"
	@$(BIN)/basedpyright

bench: $(READY)
	@$(BIN)/python -m benchmarks

bench-large: $(READY)
	@$(BIN)/python -m benchmarks.large

crash: $(READY)
	@$(BIN)/python -m tests.crash

fuzz: $(READY)
	@FUZZ=$${FUZZ:-100} $(BIN)/python -m pytest -q tests/model/test_payload_hostile.py tests/model/test_payload_properties.py tests/actors/test_tree_machine.py \
		tests/property/test_random_families.py tests/property/test_troubled_families.py

soak-actors: $(READY)
	@$(BIN)/python -m tests.actors.soak

soak-chains: $(READY)
	@$(BIN)/python -m tests.chains

build: $(READY_TO_CHECK)
	@rm -rf build dist
	@$(BIN)/python -m build --outdir dist . >.venv/build.log 2>&1 || { cat .venv/build.log; exit 1; }
	@ls dist

clean:
	@rm -rf .venv build dist *.egg-info .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "== making .venv"
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    exec $$python -m venv --clear .venv; \
	  fi; \
	done; \
	echo "no Python 3.11 or newer with venv found (tried: $(PYTHON) python3.13 python3.12 python3.11 python3);" >&2; \
	echo "install one (on Debian: python3 and python3-venv) or name it: make PYTHON=/path/to/python" >&2; \
	exit 1

$(READY): $(CONFIG) | $(BIN)/python
	@echo "== installing greenroom and what its tests need"
	@$(PIP) install --editable '.[test]'
	@touch $@

$(READY_TO_CHECK): $(READY)
	@echo "== installing what the checks need"
	@$(PIP) install --editable '.[test,check]'
	@touch $@
