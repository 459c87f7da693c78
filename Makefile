.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

# In this order: plain tests first. A paused worker may make the automation fail over, so it comes last.
CLUSTER := tests/cluster/test_disk_full.py tests/cluster/test_lifts.py tests/cluster/test_testbed.py \
	tests/cluster/test_chaos_run.py tests/cluster/test_game_day.py \
	tests/cluster/test_kill.py::test_a_worker_is_not_left_paused

# All of it, in seconds; what is not done by then is ended, and the testbed removed all the same.
CLUSTER_S := 1500

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/made:
	@python=$$(sh .ci/find-python) && "$$python" -m venv .venv && touch $@

.venv/run: .venv/made requirements.txt pyproject.toml
	@echo "installing what gameday runs with" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/test: .venv/run requirements-test.txt
	@echo "installing what the tests need" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@

install: .venv/run ## set up gameday in .venv

demo: .venv/run ## us-east-1 is lost in the twin: verdict and report
	@$(BIN)/gameday simulate region-loss-automatic --trials 200; code=$$?; \
	if [ $$code -eq 0 ] || [ $$code -eq 1 ] || [ $$code -eq 3 ]; then exit 0; else exit $$code; fi

gameday: .venv/run ## us-east-1 is lost on a real cluster here: needs docker, kind, kubectl (15 minutes)
	@if $(BIN)/gameday testbed status --json 2>/dev/null | grep -q '"pending_failback": true'; then \
	echo "a failback is pending: the primary is brought home first, with every order" >&2; \
	$(BIN)/gameday undo --home || exit $$?; fi
	@$(BIN)/gameday testbed up
	@$(BIN)/gameday run region-loss-automatic --world kind --yes; code=$$?; \
	if [ $$code -eq 0 ] || [ $$code -eq 1 ] || [ $$code -eq 3 ]; then exit 0; else exit $$code; fi

lint: .venv/test ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/test ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test: lint ## every test that needs no Docker
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-cluster: .venv/test ## game days on two real kind clusters, which are made for it and removed (needs Docker and kind; 25 minutes at most)
	@trap : INT TERM; begun=$$(date +%s); \
	left() { seconds=$$(($(CLUSTER_S) + begun - $$(date +%s))); echo $$((seconds > 0 ? seconds : 1)); }; \
	within() { if command -v timeout >/dev/null; then timeout --foreground -s INT -k "$$@"; else shift 2; "$$@"; fi; }; \
	within 60 $$(left) $(BIN)/gameday testbed up && \
	within 120 $$(left) $(BIN)/python -m pytest $(CLUSTER); code=$$?; \
	$(BIN)/gameday testbed down; exit $$code

test-kill: .venv/test ## the runner is killed at each step of a region's loss, on the testbed (an hour)
	@$(BIN)/python -m pytest tests/kill

test-deep: .venv/test ## wrong kernels must be caught, and bounds checked: when sim/data changed (3 minutes)
	@$(BIN)/python -m tests.deep

bench: .venv/test ## measure speed and memory, write docs/performance.md (20 minutes)
	@$(BIN)/python -m tests.bench

bench-gates: .venv/test ## the rows of it that have a gate, on short runs
	@$(BIN)/python -m tests.bench --gates

study-fidelity: .venv/test ## fidelity control against request on the same draws, for its page (an hour)
	@nice $(BIN)/python -m tests.studies.fidelity

docs: .venv/test ## write the generated pages anew
	@$(BIN)/python -m tests.tidy.guarantees
	@$(BIN)/python -m scenarios.files.reference
	@$(BIN)/python -m scenarios.record.document > docs/reference/record.md
	@$(BIN)/python -m tests.tidy.results

COMPILE := uv pip compile --universal --python-version 3.12 --generate-hashes --no-header --no-emit-index-url -q
SYSTEM := experiments/testbed/system/requirements

lock: ## pin every dependency with hashes (needs uv)
	@$(COMPILE) pyproject.toml -o requirements.txt
	@$(COMPILE) pyproject.toml --extra test -c requirements.txt -o requirements-test.txt
	@$(COMPILE) $(SYSTEM).in -c requirements.txt -o $(SYSTEM).txt

clean: ## remove what was made
	@rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help install demo gameday lint format test test-cluster test-kill test-deep bench bench-gates study-fidelity docs lock clean
