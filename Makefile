# Everything a person does with Clera from a terminal. `make` alone explains the rest.
# A fresh machine needs only Python 3.11-3.14 and make; `PYTHON=python3.13 make run` chooses one.

PYTHON ?= python3
BIN := .venv/bin
CLERA := $(BIN)/python -m clera.local
INSTALLED := .venv/.installed
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
# Give more arguments to a command: make demo ARGS="--fast", make test ARGS="core -k money".
ARGS ?=
READING := $(addprefix --scope ,$(addsuffix :read,accounts funding trading portfolio market chat))

.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help install run dev stop reset demo watch api-key test test-fast e2e-browser check \
	bench proof check-vendors doctor lock require-python

help: ## explain the targets
	@echo "Clera, the backend of an AI brokerage. Start with: make run"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# One clear sentence instead of the strange ones that would come later.
define REQUIRE_PYTHON
@command -v $(PYTHON) >/dev/null || { echo "Clera needs Python 3.11 to 3.14 and finds no $(PYTHON);" \
	"install one, or name it: make PYTHON=python3.13" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || { \
	echo "Clera needs Python 3.11 to 3.14 and $(PYTHON) is" \
	"$$($(PYTHON) -c 'import platform; print(platform.python_version())');" \
	"name another: make PYTHON=python3.13" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "Clera needs the module venv, which $(PYTHON) here lacks;" \
	"on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
endef

# --- Running -----------------------------------------------------------------------------------
run: $(INSTALLED) ## run everything here, with pretend vendors; Ctrl-C ends it
	@$(CLERA) run

dev: $(INSTALLED) ## the same, and the web restarts when code changes
	@$(CLERA) run --reload

stop: $(INSTALLED) ## end what `make run` has started
	@$(CLERA) stop

reset: $(INSTALLED) ## delete all local data (asks first; FORCE=1 does not)
	@$(CLERA) reset $(if $(filter 1,$(FORCE)),--force)

demo: $(INSTALLED) ## walk through the main actions on a running Clera
	@$(CLERA) exec -- manage.py demo $(ARGS)

watch: $(INSTALLED) ## follow a portfolio's live value in the terminal
	@$(CLERA) exec -- manage.py watch $(ARGS)

api-key: $(INSTALLED) ## create an API key that may read (ARGS="create --help" shows the rest)
	@$(CLERA) exec -- manage.py api_key $(or $(ARGS),create --label "made by make" --owner "Local run" $(READING))

doctor: $(INSTALLED) ## check that this machine can run Clera, and say what to do
	@$(CLERA) doctor

# --- Proving -----------------------------------------------------------------------------------
check: $(INSTALLED) ## lint, format, types, import contracts, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(CLERA) exec --test -- manage.py makemigrations --check --dry-run

test: $(INSTALLED) ## all tests, in two processes with servers of their own
	$(BIN)/pytest -n 2 -m "not proof and not browser" --durations 20 --durations-min 5 $(ARGS)

test-fast: $(INSTALLED) ## the tests to run after every edit
	$(BIN)/pytest -q -m "not proof and not browser and not slow" $(ARGS)

e2e-browser: $(INSTALLED) ## drive the web page in a real browser
	$(BIN)/pytest -m browser tests/browser $(ARGS)

bench: $(INSTALLED) ## measure, and print figures and ratios
	$(CLERA) exec --test -- python -m benchmarks $(ARGS)

proof: $(INSTALLED) ## the long runs: faults, kills, many sockets, many orders; on an idle machine
	CLERA_IDLE=1 $(BIN)/pytest -m "proof or promise" $(ARGS)

check-vendors: $(INSTALLED) ## ask the configured vendors whether our keys and URLs work
	@$(CLERA) exec -- manage.py check_vendors $(ARGS)

# --- Installing --------------------------------------------------------------------------------
install: $(INSTALLED) ## create .venv with exactly what the lock files pin

$(INSTALLED): requirements.txt requirements-dev.txt clera/local/install.py
	$(REQUIRE_PYTHON)
	@$(PYTHON) -I clera/local/install.py

require-python:
	$(REQUIRE_PYTHON)

lock: $(INSTALLED) ## pin requirements.in and requirements-dev.in anew, with hashes
	$(UV) requirements.in --output-file requirements.txt
	$(UV) requirements-dev.in --output-file requirements-dev.txt
