# Every target sets up what it needs in .venv, from uv.lock; the machine needs Python 3.11 or later, make and git.
# Options: make test ARGS="-k refunds -x"    make test PYTHON=python3.13

PYTHON ?= python3
ARGS ?=

VENV := .venv
COMPILED := .venv-compiled
SPARK := .venv-spark
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
UV_VERSION := $(shell sed -n '/^name = "uv"$$/{n;s/^version = "\(.*\)"$$/\1/p;}' uv.lock 2>/dev/null)

# Nothing that the caller's shell has activated may reach in.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP CONDA_PREFIX UV_PYTHON MYPYPATH PYTEST_ADDOPTS
export PYTHONNOUSERSITE := 1
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never

# Where the system keeps certificates (a company's own among them), uv trusts those, as git does.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS := 1
endif

# A checkout that was moved, or a Python that was removed, makes the environment anew.
ifneq ($(shell $(PY) -c 'print(open("$(READY)").read())' 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

.DEFAULT_GOAL := help
.PHONY: help setup compiled demo test test-compiled test-spark check lint format types contracts docs-check house docs bench explore faults scale wheel lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: $(READY) ## only make .venv
	@:

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Stampbook needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>/dev/null | grep . || echo not there)." \
	    "Name another: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@rm -f $@
	@[ "$$($(PY) -c 'import sys; print(sys.prefix)' 2>/dev/null)" = "$(CURDIR)/$(VENV)" ] || $(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m uv --version 2>/dev/null | grep -q '^uv $(UV_VERSION)\b' || \
	  $(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(PY) -m uv sync --locked --python $(PY)
	@printf %s "$(CURDIR)" > $@

demo: $(READY) ## a year of a real shop: accounts, points, tiers, segments, refunds, and proof
	$(PY) examples/online_retail/demo.py $(ARGS)

test: $(READY) ## all tests, on every core, but the heavy ones
	$(PY) -m pytest -n auto --dist worksteal $(ARGS)

check: lint types contracts docs-check house ## lint, types, import contracts, generated docs, the wheel

lint: $(READY)
	$(PY) -m ruff check
	$(PY) -m ruff format --check

format: $(READY) ## mend what ruff can mend
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

types: $(READY)
	$(PY) -m mypy
	$(PY) -m pyright

contracts: $(READY)
	$(VENV)/bin/lint-imports --no-logo

docs-check: $(READY)
	$(PY) docs/generate.py --check

house: $(READY)
	$(PY) -m pytest -q tests/test_house.py

docs: $(READY) ## write the generated pages anew
	$(PY) docs/generate.py

# Its own environment, with the hot path compiled; where there is no C compiler, the same as .venv.
# What is measured is the system's own Python where there is one with its headers: distributions build it with
# profile-guided optimisation, which a Python made by pyenv lacks and which is worth a fifth. Or name one: FAST=python3.13
FAST ?= $(shell for python in /usr/bin/python3 /usr/local/bin/python3 /opt/homebrew/bin/python3; do \
  $$python -c 'import os, sys, sysconfig; header = os.path.join(sysconfig.get_path("include"), "Python.h"); \
    sys.exit(sys.version_info < (3, 11) or not os.path.exists(header))' 2>/dev/null && echo $$python && break; done)

$(COMPILED)/.ready: $(READY) hatch_build.py $(shell git ls-files 'engine/*.py' 'plugins/*.py' 2>/dev/null)
	@if command -v $${CC:-cc} >/dev/null; then hooks=1; else hooks=; \
	  echo "no C compiler on this machine: what is measured is plain Python" >&2; fi; \
	UV_PROJECT_ENVIRONMENT=$(COMPILED) HATCH_BUILD_HOOKS_ENABLE=$$hooks $(PY) -m uv sync --locked --no-editable \
	  --reinstall-package stampbook --python $(or $(FAST),$(PY))
	@touch $@

compiled: $(COMPILED)/.ready ## make .venv-compiled, where the hot path is compiled
	@:

# Schemes of segments pass nothing that is compiled.
SCHEMES := $(foreach name,abc attributes balance behaviour churn clv custom lifecycle preference rfm rfm_tables \
  schemes_together spending,--ignore tests/plugins/test_$(name).py)

test-compiled: $(COMPILED)/.ready ## the tests of the core and the plugins, on the compiled build
	$(COMPILED)/bin/python -m pytest -n auto --dist worksteal -p no:cacheprovider tests/plugins tests/properties/test_core.py \
	  tests/test_changing_programs.py tests/test_pipeline.py tests/test_verifying.py $(SCHEMES) $(ARGS)

# Its own environment, since PySpark is large; it needs a Java of 17 or later, and without one its tests are skipped.
$(SPARK)/.ready: $(READY)
	UV_PROJECT_ENVIRONMENT=$(SPARK) $(PY) -m uv sync --locked --group spark --python $(PY)
	@touch $@

test-spark: $(SPARK)/.ready ## segments on a local Spark: every scheme says what it says on one machine
	$(SPARK)/bin/python -m pytest -p no:cacheprovider tests/spark $(ARGS)

bench: $(COMPILED)/.ready ## speed and memory, with medians and ratios, of the compiled build (ARGS=--quick)
	$(COMPILED)/bin/python bench/run.py $(ARGS)

# Nothing is found by the same examples again and again: here each run tries others, and keeps what fails in .hypothesis.
explore: $(READY) ## a random search for bugs: every property, 25 times the examples, other ones each time (hours)
	HYPOTHESIS_PROFILE=heavy $(PY) -m pytest -q -m hypothesis -p no:xdist --timeout=0 $(or $(ARGS),tests)

faults: $(READY) ## the heavy fault campaigns: kills, full disks, two writers
	$(PY) -m pytest -m heavy --timeout=0 tests/faults $(ARGS)

scale: $(COMPILED)/.ready ## the bench again with ten times the accounts
	$(COMPILED)/bin/python bench/run.py --scale $(ARGS)

wheel: $(READY) ## build dist/stampbook-*.whl
	$(PY) -m hatchling build -t wheel

lock: ## bring uv.lock up to date with pyproject.toml (ARGS=--upgrade for newer versions)
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet --disable-pip-version-check uv$(if $(UV_VERSION),==$(UV_VERSION))
	$(PY) -m uv lock --python $(PY) --default-index https://pypi.org/simple $(ARGS)

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) $(COMPILED) $(SPARK) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
