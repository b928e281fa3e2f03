# Everything a user or a developer starts. `make` alone prints this list.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# How many tests run at a time: three also where there are two cores, since many wait for others' processes. 0 keeps
# them in one process, for a debugger.
WORKERS ?= 3
# How often `make soak` repeats.
ROUNDS ?= 10
ARGS ?=

# Where the environment forbids to keep bytecode, each of the hundreds of processes would compile everything anew.
PYTHON_ENV := env -u PYTHONDONTWRITEBYTECODE
# Without reordering: xdist would put the files with the fewest tests last, and these take longest.
PYTEST := $(PYTHON_ENV) .venv/bin/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# The quick tests come first, so that a plain mistake shows in seconds; then the longest, so that nobody waits for them.
SUITES := $(wildcard tests/tidy tests/unit tests/property tests/system tests/faults tests/integration)
MANIFESTS := pyproject.toml uv.lock .ci/setup $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)

# An environment knows its own absolute path: in a copied or moved tree it belongs to another tree.
ifneq ($(shell cat .venv/.place 2>/dev/null),$(CURDIR))
.PHONY: .venv/.runtime .venv/.develop
endif

#== Use

.PHONY: run
run: .venv/.runtime ## Start everything on this machine [FEED=synthetic|replay:FILE SPEED=60 DATA_DIR=… ARGS=…]
	@exec .venv/bin/gridkeeper up $(if $(FEED),--feed "$(FEED)") $(if $(SPEED),--speed "$(SPEED)") \
		$(if $(DATA_DIR),--data-dir "$(DATA_DIR)") $(ARGS)

.PHONY: setup
setup: .venv/.runtime ## Install into .venv what running needs (`make run` does it by itself)
	@echo "Ready: .venv/bin/gridkeeper"

#== Develop

.PHONY: develop
develop: .venv/.develop ## Install into .venv what testing and checking need as well
	@echo "Ready: make test, make check"

.PHONY: test
test: .venv/.develop ## Run all tests [WORKERS=3 ARGS=…]
	$(PYTEST) $(SUITES) $(ARGS)

.PHONY: check
check: .venv/.develop ## Lint, format, types, import rules and tidiness, changing nothing
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy tests
	.venv/bin/lint-imports --no-logo
	.venv/bin/pytest -q tests/tidy

.PHONY: fmt
fmt: .venv/.develop ## Format the code and mend what can be mended by a program
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: docs
docs: .venv/.develop ## Write the reference pages under docs/ that are made from the code
	.venv/bin/python -m gridkeeper_cli.reference docs

.PHONY: secrets
secrets: .venv/.runtime ## Make the keys and passwords of a deployment in deploy/secrets, once
	@.venv/bin/python deploy/make_secrets.py $(ARGS)

.PHONY: hooks
hooks: .venv/.develop ## Install the git hooks (they run at commit)
	.venv/bin/pre-commit install --hook-type pre-commit

#== Prove

.PHONY: mutate
mutate: .venv/.develop ## Break one rule in a copy of the tree; its test must notice [FAULT=name|all]
	@.venv/bin/python tests/faults/mutate.py $(if $(FAULT),"$(FAULT)",--list)

.PHONY: simulate
simulate: .venv/.develop ## All services in one process under seeded faults [SEEDS=200 FIRST=0, or SEED=n to have one again]
	@PYTHONPATH=tests .venv/bin/python -m support.simulate \
		$(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200) --first $(or $(FIRST),0)) $(ARGS)

.PHONY: soak
soak: .venv/.develop ## All recorded weeks in lockstep through the whole system (long)
	$(PYTEST) -n 0 tests/system/test_recorded_days.py tests/system/test_recorded_crashes.py --recorded-days 0

.PHONY: storms
storms: .venv/.develop ## Ten scenarios of faults over real processes, and 500 seeded runs in memory (about an hour)
	$(PYTEST) -n 0 tests/system/test_process_faults.py --fault-scenarios 10
	GRIDKEEPER_FAULT_RUNS=500 $(PYTEST) tests/faults/test_random_faults.py

.PHONY: again
again: .venv/.develop ## Property, fault and system tests over and over, each round with another seed [ROUNDS=10]
	@round=1; while [ $$round -le $(ROUNDS) ]; do \
		echo "round $$round of $(ROUNDS)"; \
		$(PYTEST) $(filter %/property %/faults %/system,$(SUITES)) --hypothesis-seed=$$round $(ARGS) || exit 1; \
		round=$$((round + 1)); \
	done

.PHONY: test-containers
test-containers: .venv/.develop ## Build the images, run the demo with podman-compose or Docker, and remove it (10 minutes)
	$(PYTEST) -n 0 tests/containers $(ARGS)

.PHONY: bench
bench: .venv/.runtime ## Measure everything, and write benchmarks/RESULTS.md (ARGS=--peer PYTHON: beside a peer)
	@$(PYTHON_ENV) .venv/bin/python benchmarks/bench_all.py $(ARGS)

#== Other

.PHONY: clean
clean: ## Remove what was installed and cached in this folder (never a data directory)
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find libs services tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^#== / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

.venv/.runtime: $(MANIFESTS)
	@.ci/setup runtime

.venv/.develop: $(MANIFESTS)
	@.ci/setup develop
