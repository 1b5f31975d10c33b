# The handful of commands. Each sets up what it needs; none needs another run first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help run test check format test-docker bench clean

help:            ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $(READY)

run: $(READY)    ## set everything up and serve on ws://127.0.0.1:8765/ws (ARGS="--port 9000" adds flags)
	$(BIN)/swarmwire serve $(ARGS)

test: $(READY)   ## run every test (ARGS="-k router" adds flags)
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)  ## lint, formatting, types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## rewrite the code as `make check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-docker:     ## build the image and the compose project, publish through them and read back (needs Docker)
	tests/docker/run

bench: $(READY)  ## measure Swarmwire beside its peers (QUICK=1: two minutes; SKIP=a,b: without these; ONLY=a,b: just these)
	$(BIN)/python -m benchmarks.runner $(if $(QUICK),--quick) $(if $(SKIP),--skip $(SKIP)) $(if $(ONLY),--only $(ONLY))

clean:           ## remove what these commands made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist benchmarks/.build
