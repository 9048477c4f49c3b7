# Everything a newcomer or a machine types here. Each target sets up what it needs by itself, inside
# the checkout (.venv, .venv-pipenv); the second time that costs nothing.

PYTHON_HERE := .venv/bin/python
READY := .venv/.synced

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-shards test all-tests lint format types scan mutants render docs bench lock base clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## set up .venv from Pipfile.lock (the others do it by themselves)

$(READY): Pipfile.lock .ci/setup
	@PYTHON='$(PYTHON)' .ci/setup

demo: $(READY) ## show a run that is interrupted, refused and still finishes
	@$(PYTHON_HERE) -m steadyspot demo

demo-shards: $(READY) ## show a run over four tasks, two of which are reclaimed
	@$(PYTHON_HERE) -m steadyspot demo --shards

test: lint ## all checks and all tests
	@$(MAKE) --no-print-directory --jobs 2 types all-tests

# What is compiled is kept: hundreds of processes would each compile all that they load.
all-tests: $(READY)
	PYTHONDONTWRITEBYTECODE= $(PYTHON_HERE) -m pytest $(ARGS)

lint: $(READY) ## format, lint and the arrows between rooms, changing nothing
	$(PYTHON_HERE) -m ruff format --check .
	$(PYTHON_HERE) -m ruff check .
	.venv/bin/lint-imports --no-cache

# It lets the tests go first that run beside it: some of them wait for real programs.
types: $(READY) ## the strict type check
	nice -n 3 $(PYTHON_HERE) -m mypy

format: $(READY) ## mend format and what lint can mend
	$(PYTHON_HERE) -m ruff format .
	$(PYTHON_HERE) -m ruff check --fix .

scan: $(READY) tests/scan/.venv/.synced ## hold the templates and their roles against security rules
	tests/scan/.venv/bin/checkov --directory deploy/templates --framework cloudformation \
		--compact --quiet --skip-download
	$(PYTHON_HERE) -m tests.scan

mutants: $(READY) tests/mutants/.venv/.synced ## change what decides, a thing at a time: do tests notice?
	tests/mutants/.venv/bin/python -m tests.mutants $(ARGS)

tests/%/.venv/.synced: tests/%/Pipfile.lock .ci/setup
	@PYTHON='$(PYTHON)' .ci/setup tests/$*

render: $(READY) ## write the definitions, docs/reference and the picture of the workflow
	$(PYTHON_HERE) -m steadyspot.statemachines
	$(PYTHON_HERE) -m docs.generate

docs: $(READY) ## build the pages of docs/ in build/docs; a link that leads nowhere ends it
	.venv/bin/mkdocs build --strict --quiet --config-file .mkdocs.yml

tests/asl/.synced: tests/asl/package-lock.json
	npm ci --prefix tests/asl
	touch $@

ifneq ($(wildcard tests/bench),)
bench: $(READY) ## print the measures as a table
	$(PYTHON_HERE) -m tests.bench $(ARGS)
endif

lock: ## write Pipfile.lock anew with the newest releases
	.ci/setup lock
	.ci/setup lock tests/scan
	.ci/setup lock tests/mutants
	.ci/setup lock tests/programs

base: ## name the worker's base image by the digest that its tag has today
	.ci/base

clean: ## remove what was set up and what tests left
	rm -rf .venv tests/scan/.venv tests/mutants/.venv tests/programs/.venv .venv-pipenv .setup.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		build *.egg-info tests/asl/node_modules tests/asl/.synced
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
