# Every target does its own set-up in a fresh clone; a person needs Python 3.11 or newer, make and the network.
# Another Python: make PYTHON=python3.13 test
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CHECK_READY := $(VENV)/.ready-check
BROWSER_READY := $(VENV)-browser/.ready
SDK_READY := $(VENV)-sdk/.ready
LOCK_READY := $(VENV)-lock/.ready
CLIENT_LOCKS := $(wildcard tests/*/*/*/package-lock.json)
APART := browser or clients or nginx or nmap or sdk
PYTEST_WORKERS ?= 2
# make test COVERAGE=yes: takes twice as long, and prints which part of the lines and branches the tests reach
PYTEST = $(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal $(if $(COVERAGE),--cov --cov-report=)

# Cached bytecode: the tests start many processes, and a machine may forbid the cache.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow night check lint format bench lock browser clients nginx nmap sdk clean

help:
	@echo 'Rollcall: a GraphQL server over an inventory kept in step with Microsoft Entra ID.'
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1	/p' Makefile | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: $(READY)  ## a simulated tenant, its sync and GraphiQL on http://127.0.0.1:8000/graphql, until Ctrl-C
	@$(BIN)/rollcall demo

test: lint  ## the test suite, 6 minutes on two cores; of what is long, a small share
	@$(PYTEST) tests --ignore=tests/sdk -m 'not ($(APART))'
	@$(if $(COVERAGE),$(BIN)/coverage report --format=total | sed 's/.*/Lines and branches that these tests reach: & %/')

test-slow: $(CHECK_READY)  ## more of what is long: 120 seeds of the simulation, 200 kills, generated trees and texts
	@$(PYTEST) tests --ignore=tests/sdk -m 'slow and not ($(APART))' --amount slow

night: $(CHECK_READY)  ## all of what is long: 20,000 seeds, 2,000 kills, 20,000 documents made by chance; hours
	@$(PYTEST) tests --ignore=tests/sdk -m 'slow and not ($(APART))' --amount night --timeout 14400

check: lint  ## format, lint, types, house rules and unit tests
	@$(PYTEST) tests/house tests/schema tests/sync/store tests/sync/inventory tests/sync/tasks -m 'not ($(APART))'

# A worker of mypy that starts too slowly on a busy machine ends it with 2; one process needs no workers.
lint: $(CHECK_READY)
	@echo 'Format, lint and types ...'
	@$(BIN)/ruff format --check --quiet . || { echo 'Run: make format'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --num-workers $(PYTEST_WORKERS) --no-error-summary || \
		{ test $$? -ne 1 && echo 'Once more in one process ...' && $(BIN)/mypy --no-error-summary; }

format: $(CHECK_READY)  ## rewrite the source as `make check` wants it
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

bench: $(READY)  ## measure, and print the table of docs/performance.md
	@if test -f bench/__main__.py; then $(BIN)/python -m bench; else echo 'No benchmark is written yet.'; fi

browser: $(BROWSER_READY)  ## GraphiQL in a real Chromium (Debian: apt-get install chromium)
	@$(VENV)-browser/bin/pytest tests/browser -m browser --no-skips -rs

clients: $(CHECK_READY)  ## the server as JavaScript programs see it (needs node and npm)
	@$(foreach lock,$(CLIENT_LOCKS),npm ci --prefix $(dir $(lock)) --no-audit --no-fund --silent &&) true
	@$(BIN)/pytest tests --ignore=tests/sdk -m clients --no-skips -rs

nginx: $(CHECK_READY)  ## the example deploy/nginx.conf in the real nginx (Debian: apt-get install nginx)
	@$(BIN)/pytest tests/nginx -m nginx --no-skips -rs

nmap: $(CHECK_READY)  ## scans of loopback by the real nmap (Debian: apt-get install nmap)
	@$(BIN)/pytest tests --ignore=tests/sdk -m nmap --no-skips -rs

sdk: $(SDK_READY)  ## the simulator as Microsoft's own Graph SDK sees it (downloads 390 MB)
	@$(VENV)-sdk/bin/pytest tests/sdk -m sdk --no-skips -rs

lock: $(LOCK_READY)  ## compile requirements/*.in anew, newest versions, by hash
	@requirements/compile $(VENV)-lock/bin/pip-compile

clean:  ## remove every environment and everything built
	@rm -rf $(VENV) $(VENV)-* build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find tests -name node_modules -type d -prune -exec rm -rf {} +

$(READY): requirements/run.txt requirements/build.txt pyproject.toml
	@requirements/install $(VENV) "$(PYTHON)" --editable requirements/build.txt requirements/run.txt
	@touch $@

$(CHECK_READY): $(READY) requirements/check.txt
	@requirements/install $(VENV) "$(PYTHON)" requirements/check.txt
	@touch $@

$(BROWSER_READY): requirements/browser.txt requirements/check.txt requirements/run.txt requirements/build.txt pyproject.toml
	@requirements/install $(VENV)-browser "$(PYTHON)" --editable requirements/build.txt requirements/run.txt \
		requirements/check.txt requirements/browser.txt
	@touch $@

$(SDK_READY): requirements/sdk.txt requirements/check.txt requirements/run.txt requirements/build.txt pyproject.toml
	@requirements/install $(VENV)-sdk "$(PYTHON)" --editable requirements/build.txt requirements/run.txt \
		requirements/check.txt requirements/sdk.txt
	@touch $@

$(LOCK_READY): requirements/lock.txt
	@requirements/install $(VENV)-lock "$(PYTHON)" requirements/lock.txt
	@touch $@
