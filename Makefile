# `make demo` and `make test` need Python 3.11 or newer, make and a package index; they make their own .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
CPUS   := $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
# Tests wait a good part of their time, for other processes and for instruments that keep their own. There are more of
# them than CPUs: threads of OpenBLAS and OpenMP, which wait for each other in busy loops, would only take time from the
# others.
TESTERS := $(shell expr $(CPUS) + 2)

.PHONY: demo test quick types tests lint columns docs bench metrology twin soak busy mutants hunt fuzz setup clean

demo: $(READY)
	$(BIN)/xrm run recipes/nmc811_screening.yaml

# Types are checked beside the tests, on what these leave of the CPUs. What is wrong there is told at once, and once more
# at the end.
test: quick
	@$(MAKE) --no-print-directory --jobs 2 --keep-going types tests; ended=$$?; cat $(VENV)/types.log; exit $$ended

types: $(READY)
	@$(BIN)/pyright > $(VENV)/types.log 2>&1 || { cat $(VENV)/types.log; exit 1; }

# Byte code is kept, whatever the environment says: each of the testers, and each of the hundreds of commands that they
# start, would compile the same modules anew.
tests: $(READY)
	unset PYTHONDONTWRITEBYTECODE; OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

lint: quick
	$(BIN)/pyright

quick: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

# docs/columns.md anew, from the definitions of the columns.
columns: $(READY)
	$(BIN)/python -m xrm_control.contracts.dictionary

# The docs as pages in docs/_build, without a warning.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going --quiet -b html docs docs/_build

$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,docs]'
	touch $(VENV)/.docs

# What each effect of a real instrument does to the numbers, and whether the run says so: ten seeds, an hour and a half.
twin: $(READY)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.twin 10

# Full benchmarks: ratios against named peers, measured in one run.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

# The same projections through five pipelines, four of them of others; writes tables and a picture into docs/metrology.md.
metrology: $(VENV)/.bench
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.round_robin 3

$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,bench]'
	touch $(VENV)/.bench

# Long checks: a compressed night with every scripted fault, writers killed at random, a disk that fails at every call,
# every signal in every state, races for one instrument. XRM_STORM_STEP=10 tries each tenth call of the failing disk.
soak: $(READY)
	$(BIN)/python -m pytest -n $(CPUS) -m soak -o timeout=0 -rP tests

# The tests that wait for other processes, beside twenty busy loops: a busy machine is no fault.
BUSY := tests/devices tests/simulators/ioc tests/cli tests/session tests/system
busy: $(READY)
	$(BIN)/python -m tests.storms.busy 20 $(BIN)/python -m pytest -n $(CPUS) --dist loadfile $(BUSY)

# How many planted faults do the tests find? Hours; `.venv/bin/python -m tests.mutants --help` for a part of them.
mutants: $(READY)
	$(BIN)/python -m tests.mutants --jobs $(CPUS)

# Nights in which everything goes wrong that can, one seed each, and the table of what was met. Hours; one night again:
# `.venv/bin/python -m tests.hunt --replay tests/hunt/found/NAME.yaml`, and `--help` for a part of them.
hunt: $(READY)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.hunt --nights 20000 --jobs $(CPUS) --page

# Damaged and lying files and recipes through the user's commands, one seed each; `--help` for a part of them. Hours.
fuzz: $(READY)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --count 2000

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $(READY)

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .ruff_cache
