# Every command of the project. `make help` prints them.

# The first Python from 3.11 on that can make an environment; name another with `make run PYTHON=/path/to/python3`.
CANDIDATES := python3 python3.13 python3.12 python3.11
SUITABLE   := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON     ?= $(shell for candidate in $(CANDIDATES); do \
                "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1 && { echo "$$candidate"; break; }; \
              done)

VENV    := .venv
BIN     := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
BASE    := $(VENV)/made
RUN     := $(VENV)/made-run
DEV     := $(VENV)/made-dev
LOCK    := $(VENV)/made-lock
ADVICE  := $(VENV)/made-advisories

# An environment that was moved, or whose Python is gone, is made again.
$(shell { test "$$(cat $(BASE) 2>/dev/null)" = "$(CURDIR)" && test -x $(BIN)/python; } || rm -f $(VENV)/made*)

# The web app: built once, and again when its sources or the schema changed.
WEB_PACKAGES := web/node_modules/.made
WEB_BUILT    := web/node_modules/.built
$(shell test -f web/dist/index.html || rm -f $(WEB_BUILT))
WEB_SOURCES   = $(shell find web/src web/public web/scripts -type f 2>/dev/null) web/index.html web/graphiql.html web/vite.config.ts schema.graphql
HAS_NODE     := { command -v node && command -v npm \
                && node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
                && test "$$(npm --version | cut -d. -f1)" -ge 10; } >/dev/null 2>&1
NO_NODE      := The web app takes Node 20.19 or newer and npm 10 or newer
CHROMIUM     ?= /usr/bin/chromium

PORT ?= 8000
JOBS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:

# ---------------------------------------------------------------- use

.PHONY: help
help: ## print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN) web-if-possible ## set up, migrate, seed the demo and serve on PORT (8000)
	@$(BIN)/resolution-center migrate
	@$(BIN)/resolution-center seed
	@exec $(BIN)/resolution-center serve --port $(PORT)

.PHONY: test
test: $(DEV) ## set up and run the tests; ARGS='-k refund' narrows them, JOBS=2 are run at once
	$(BIN)/pytest -n $(JOBS) -m "not slow" $(ARGS)

.PHONY: test-all
test-all: $(DEV) ## the tests with the slow ones: the torture's short form
	$(BIN)/pytest -n $(JOBS) $(ARGS)

# What asks no database tells nothing new there.
NO_DATABASE := tests/rules tests/engine tests/tools tests/test_docs.py

.PHONY: test-postgresql
test-postgresql: $(DEV) ## all tests that ask a database, on the PostgreSQL of RESOLUTION_TEST_POSTGRES_URL
	@test -n "$$RESOLUTION_TEST_POSTGRES_URL" || { \
	  echo 'Set RESOLUTION_TEST_POSTGRES_URL to a PostgreSQL where the tests may make databases: postgres://postgres@127.0.0.1:5432/postgres'; \
	  exit 1; } >&2
	RESOLUTION_TEST_STORE=postgresql $(BIN)/pytest -n $(JOBS) $(addprefix --ignore=,$(NO_DATABASE)) $(ARGS)

.PHONY: test-postgresql-if-set
test-postgresql-if-set:
	@if test -n "$$RESOLUTION_TEST_POSTGRES_URL"; then $(MAKE) --no-print-directory test-postgresql; \
	else echo 'RESOLUTION_TEST_POSTGRES_URL is not set: the tests did not run on PostgreSQL.'; fi

.PHONY: browser
browser: ## set up what the tests in a browser need (Chromium by apt, npm's packages); without it they are skipped
	@command -v chromium >/dev/null || { apt-get -qq update && apt-get -qq install --yes chromium; } >/dev/null 2>&1 \
	  || echo 'Chromium is not there, and apt-get can not install it here: tests in a browser are skipped.'
	@test tests/browser/node_modules/.package-lock.json -nt tests/browser/package-lock.json \
	  || npm --prefix tests/browser ci --silent \
	  || echo 'npm can not install what drives the browser: tests in a browser are skipped.'

.PHONY: services
services: ## set up what the tests of deploy/ need (nginx, bubblewrap, by apt); without it they are skipped
	@{ command -v nginx && command -v bwrap; } >/dev/null 2>&1 \
	  || { apt-get -qq update && apt-get -qq install --yes nginx-light bubblewrap; } >/dev/null 2>&1 \
	  || echo 'nginx and bubblewrap are not there, and apt-get can not install them here: tests of deploy/ are skipped.'

.PHONY: audit
audit: ## set up what the audit of GraphQL over HTTP needs (npm's packages); without it it is skipped
	@test tests/audit/node_modules/.package-lock.json -nt tests/audit/package-lock.json \
	  || npm --prefix tests/audit ci --silent \
	  || echo 'npm can not install the audit of GraphQL over HTTP: it is skipped.'
.PHONY: clients
clients: ## set up the GraphQL clients that the server is tested with (npm's packages); without them they are skipped
	@test tests/clients/node_modules/.package-lock.json -nt tests/clients/package-lock.json \
	  || npm --prefix tests/clients ci --silent \
	  || echo 'npm can not install the clients: their tests are skipped.'

.PHONY: web
web: $(WEB_BUILT) ## build the web app, if its sources changed (Node 20.19, npm 10)
	@:

.PHONY: web-if-possible
web-if-possible:
	@if $(HAS_NODE); then $(MAKE) --no-print-directory web || echo 'The web app could not be built; everything else works without it.'; \
	else echo '$(NO_NODE); it is left out, everything else works without it.'; fi

.PHONY: web-check
web-check: ## types, lint, stale operations and snippets, unit tests and size of the web app
	@if $(HAS_NODE); then $(MAKE) --no-print-directory web && npm --prefix web run --silent check && npm --prefix web run --silent size; \
	else echo '$(NO_NODE): its checks are skipped.'; fi

.PHONY: web-test
web-test: $(RUN) ## the web app in a real browser; ARGS='-g refund' narrows them
	@if ! $(HAS_NODE); then echo '$(NO_NODE): its tests are skipped.'; \
	elif ! test -x $(CHROMIUM); then echo 'There is no $(CHROMIUM) (`make browser` installs it): the tests in a browser are skipped.'; \
	else $(MAKE) --no-print-directory web && cd web && CHROMIUM=$(CHROMIUM) npx playwright test $(ARGS); fi

# A Python that was built without optimisation, as pyenv builds them unless told otherwise, takes up to half as much again.
# Distributions' own and official builds are optimised; where there is one, it is what is measured, in its own environment.
OPTIMISED     := import sys; from bench.machine import is_optimised; sys.exit(not is_optimised())
BENCH_PYTHON  ?= $(shell for candidate in $(CANDIDATES) /usr/bin/python3; do \
                   "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1 && "$$candidate" -c '$(OPTIMISED)' >/dev/null 2>&1 \
                   && { command -v "$$candidate"; break; }; done)
BENCH_OPTIONS  = $(if $(filter-out $(shell command -v $(PYTHON)),$(BENCH_PYTHON)),VENV=.venv-bench PYTHON=$(BENCH_PYTHON))

.PHONY: bench
bench: ## measure the server; its peers and how it grows where RESOLUTION_TEST_POSTGRES_URL and RESOLUTION_TEST_REDIS_URL are set
	@$(MAKE) --no-print-directory $(BENCH_OPTIONS) bench-here

.PHONY: bench-here
bench-here: $(DEV)
	$(BIN)/python -m bench $(ARGS)
	$(BIN)/python -m bench.idle $(ARGS)
	@if test -z "$$RESOLUTION_TEST_POSTGRES_URL" || test -z "$$RESOLUTION_TEST_REDIS_URL"; then \
	  echo 'RESOLUTION_TEST_POSTGRES_URL and RESOLUTION_TEST_REDIS_URL are not set: peers and growth are not measured.'; \
	else for part in against growth; do \
	  echo "$(BIN)/python -m bench.$$part $(ARGS)"; $(BIN)/python -m bench.$$part $(ARGS) || exit; done; fi

.PHONY: torture
torture: $(DEV) ## kill servers under load for two minutes: nobody may miss or repeat an event
	$(BIN)/python -m tests.torture $(ARGS)

# ---------------------------------------------------------------- check

.PHONY: check
check: format-check lint types rooms docs drawings schema-check lock-check test-all test-postgresql-if-set web-check web-test ## all that CI runs, in this order

.PHONY: format
format: $(DEV) ## lay out the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: format-check
format-check: $(DEV) ## is the code laid out?
	$(BIN)/ruff format --check .

.PHONY: lint
lint: $(DEV) ## ruff, and that rules/ is pure
	$(BIN)/ruff check .
	$(BIN)/python -m tools.check_rules

.PHONY: types
types: $(DEV) ## mypy --strict over everything
	$(BIN)/mypy

.PHONY: rooms
rooms: $(DEV) ## do imports point the right way?
	$(BIN)/lint-imports --no-logo

.PHONY: docs
docs: $(DEV) ## does every link in the pages lead somewhere, and is every snippet what runs?
	$(BIN)/python -m tools.check_docs
	$(BIN)/python -m tools.check_snippets

.PHONY: drawings
drawings: $(DEV) ## is the drawn state machine that of the code?
	$(BIN)/python -m tools.draw_states --check

.PHONY: draw
draw: $(DEV) ## draw the state machine into docs/
	$(BIN)/python -m tools.draw_states

.PHONY: schema
schema: $(DEV) ## print the schema of the code into schema.graphql
	$(BIN)/resolution-center schema > $(VENV)/schema.graphql
	cp $(VENV)/schema.graphql schema.graphql

.PHONY: schema-check
schema-check: $(DEV) ## is schema.graphql current, described, and kind to the clients of the last one?
	$(BIN)/python -m tools.check_schema

# ---------------------------------------------------------------- dependencies

COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
           --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)

.PHONY: lock
lock: $(LOCK) ## pin all dependencies with hashes; UPGRADE=--upgrade moves those that others bring
	$(COMPILE) --all-extras pyproject.toml requirements/build.in --output-file requirements/run.txt
	$(COMPILE) --all-extras pyproject.toml requirements/build.in --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
	$(COMPILE) requirements/lock.in --output-file requirements/lock.txt
	$(COMPILE) requirements/advisories.in --constraint requirements/dev.txt --output-file requirements/advisories.txt

.PHONY: lock-check
lock-check: $(DEV) ## do the locked files say what pyproject.toml says?
	$(BIN)/python -m tools.check_lock

.PHONY: advisories
advisories: $(ADVICE) ## known weaknesses of the dependencies, where the network allows to ask; and a list of them
	@$(BIN)/python -m tools.advisories

.PHONY: clean
clean: ## remove the environment and every cache; data stays
	rm -rf $(VENV) .venv-bench build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis web/dist web/node_modules
	find . -name __pycache__ -type d -not -path './web/*' -prune -exec rm -rf {} +

# ---------------------------------------------------------------- the web app

$(WEB_PACKAGES): web/package.json web/package-lock.json
	@$(HAS_NODE) || { echo '$(NO_NODE).'; exit 1; } >&2
	@echo 'Installing what the web app is built with (once, about half a minute) ...'
	@npm --prefix web ci --silent
	@touch $@

$(WEB_BUILT): $(WEB_SOURCES) $(WEB_PACKAGES)
	@$(HAS_NODE) || { echo '$(NO_NODE).'; exit 1; } >&2
	@echo 'Building the web app ...'
	@cd web && npm run --silent codegen && npm run --silent build
	@touch $@

# ---------------------------------------------------------------- environment
# Each stamp is younger than what it was made from, so a second call does nothing.

$(BASE):
	@test -n "$(PYTHON)" || { \
	  echo 'Python 3.11 or newer, with its venv and ensurepip modules, was not found as any of: $(CANDIDATES).'; \
	  echo 'Install it (on Debian and Ubuntu: python3 and python3-venv), or name one: make run PYTHON=/path/to/python3'; \
	  exit 1; } >&2
	@"$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || { \
	  echo '$(PYTHON) is not a Python 3.11 or newer with venv and ensurepip.'; exit 1; } >&2
	@echo "Making $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)
	@echo '$(CURDIR)' > $@

# The product itself is linked, not copied: code that changes needs no new installation.
$(RUN): requirements/run.txt pyproject.toml | $(BASE)
	@echo 'Installing what the product needs (once, about half a minute) ...'
	@$(INSTALL) --require-hashes --requirement requirements/run.txt
	@$(INSTALL) --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUN)
	@echo 'Installing what the tests and checks need (once) ...'
	@$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@touch $@

$(LOCK): requirements/lock.txt | $(BASE)
	@$(INSTALL) --require-hashes --requirement requirements/lock.txt
	@touch $@

$(ADVICE): requirements/advisories.txt $(DEV)
	@$(INSTALL) --require-hashes --requirement requirements/advisories.txt
	@touch $@
