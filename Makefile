# Everything starts from a bare clone: each target sets the environment up first, which takes
# a few minutes once and a blink afterwards.

BIN := .venv/bin

# Two test processes: importing LeRobot takes seconds, so more of them pay only on large machines.
TEST_PROCESSES ?= 2

# Tests of federations wait for most of their time: for a heartbeat that is missed, for a retry.
NETWORK_PROCESSES ?= 3

# Simulation and training use processes, not threads: more threads only fight for the cores.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test long network browser lint format types layers check bench bench-gpu clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: ## make or refresh .venv
	@scripts/bootstrap

demo: setup ## four simulated arms learn together; then says where video, chart and model are
	@scripts/demo

test: setup ## run the tests, all but those of `make long`, `make network` and `make browser`
	@echo "test: pytest -q -n $(TEST_PROCESSES) -m 'not long and not network and not browser'"
	@$(BIN)/pytest -q -n $(TEST_PROCESSES) --dist loadfile -m "not long and not network and not browser"

long: setup ## run the tests that take more than half a minute each
	@echo "long: pytest -q -n $(TEST_PROCESSES) -m long"
	@$(BIN)/pytest -q -n $(TEST_PROCESSES) --dist loadfile -m "long and not browser"

network: setup ## tests of federations: a server and nodes, as processes on this machine
	@echo "network: pytest -q -n $(NETWORK_PROCESSES) -m network tests/network"
	@$(BIN)/pytest -q -n $(NETWORK_PROCESSES) --dist loadfile -m network tests/network

browser: setup ## tests of the run's page and the dashboard in Chromium, which has to be installed
	@echo "browser: pytest -q -m browser tests/report tests/dashboard"
	@$(BIN)/pytest -q -m browser tests/report tests/dashboard

lint: setup ## ruff: rules and format
	@echo "lint: ruff check, ruff format --check"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## let ruff repair what it can
	@echo "format: ruff check --fix, ruff format"
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup ## mypy, strict on what plugin authors see
	@echo "types: mypy"
	@$(BIN)/mypy

layers: setup ## import-linter: who may import whom
	@echo "layers: lint-imports"
	@$(BIN)/lint-imports

check: lint types layers test long network ## everything that must pass before a change goes in

bench: setup ## measure training, rounds, bytes and memory on a machine that does nothing else
	@echo "bench: python benchmarks/run.py"
	@$(BIN)/python benchmarks/run.py

bench-gpu: setup ## measure training of SmolVLA's real size on a GPU
	@echo "bench-gpu: python benchmarks/run.py --gpu"
	@$(BIN)/python benchmarks/run.py --gpu

clean: ## remove the environment and what tools cached; recordings and outputs stay
	@echo "clean: .venv .tools and the caches of pytest, ruff, mypy, import-linter, hypothesis"
	@rm -rf .venv .tools .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
