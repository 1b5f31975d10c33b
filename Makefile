# The handful of commands. Each sets up what it needs; none needs another run first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# What is compiled where there is a compiler: each .pyx, and each .py with a .pxd beside it.
TYPED  := $(shell find broker protocol -name '*.pxd' -o -name '*.pyx')
BUILT  := $(VENV)/.built

.PHONY: help run demo test check format screenshots test-autobahn test-docker test-windows soak bench clean

help:            ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	SWARMWIRE_PURE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $(READY)

$(BUILT): $(READY) hatch_build.py $(TYPED) $(patsubst %.pxd,%.py,$(filter %.pxd,$(TYPED)))
	@echo "compiling the data plane (a minute the first time)"
	$(BIN)/python hatch_build.py
	@touch $(BUILT)

run: $(BUILT)    ## set everything up and serve on ws://127.0.0.1:8765/ws (ARGS="--port 9000" adds flags)
	$(BIN)/swarmwire serve $(ARGS)

demo: $(BUILT)   ## a broker, its dashboard and a living swarm over DIR=. ; prints the address (ARGS="--port 9000" adds flags)
	@$(BIN)/python examples/demo.py $(or $(DIR),.) $(ARGS)

test: $(BUILT)   ## run every test, and those of protocol and broker without compiled modules (ARGS="-k router" adds flags)
	@tests/tools
	@tests/run $(BIN)/python $(ARGS)

check: $(READY)  ## lint, formatting, types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@tests/tools packages
	@tests/types

format: $(READY) ## rewrite the code as `make check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(BUILT) ## take the pictures of the dashboard that the pages show
	@tests/tools browser
	$(BIN)/python -m tests.screenshots $(ARGS)

test-docker:     ## build the image and the compose project, publish through them and read back (needs Docker)
	tests/docker/run

test-windows: $(READY) ## run the tests for Windows under wine, which root gets on Debian where it is missing
	PYTHON=$(BIN)/python tests/windows/run $(ARGS)

test-autobahn: $(BUILT) ## run the Autobahn suite against the WebSocket path (needs Python 2.7; WRITE=1: into the docs)
	$(BIN)/python tests/autobahn/suite.py $(if $(WRITE),--write)

soak: $(BUILT)   ## run the history workloads with faults for MINUTES=10, from SEED=1 on, with ENGINE=memory, sqlite or nats
	$(BIN)/python -m tests.history.soak --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1) $(if $(ENGINE),--engine $(ENGINE))

bench: $(BUILT)  ## measure Swarmwire beside its peers (QUICK=1: three minutes; SKIP=a,b: without these; ONLY=a,b: just these)
	$(BIN)/python -m benchmarks.runner $(if $(QUICK),--quick) $(if $(SKIP),--skip $(SKIP)) $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

clean:           ## remove what these commands made
	find broker protocol -name '*.so' -delete
	rm -rf $(VENV) .build client/js/node_modules client/js/types soak-histories .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist benchmarks/.build
