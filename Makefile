# Two commands do all the set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Processes of the tests, one thread each; more take about 1.5 GB of memory each.
JOBS   ?= 2

.PHONY: install demo test lint browser clean

install: $(READY)

$(READY): constraints.txt setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

demo: $(READY)
	$(BIN)/python run_recbole_medmoe.py

lint: $(READY)
	$(BIN)/python -m flake8
	$(BIN)/lint-imports
	$(BIN)/python -m mypy

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

# The page in headless Chromium, where there is one: sorting, filtering, the console, the width of a phone.
browser: $(READY)
	$(BIN)/python -m pytest tests/bench/page_in_chromium.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .import_linter_cache
