# `make demo` and `make test` set up what they need in .venv/ by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TYPINGS := $(VENV)/typings/.installed
ORACLES := $(patsubst tests/oracles/%.txt,$(VENV)/oracles/%/.installed,$(wildcard tests/oracles/*.txt))

.PHONY: help demo test check soak bench faults mutants docs screens setup clean
.DEFAULT_GOAL := help

help: ## say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) $(TYPINGS) $(ORACLES) ## make .venv/ with everything that demo and test need

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lampione needs Python 3.11 or later; say which: make PYTHON=python3.12 ...")'
	@echo "setting up $(VENV)/, a minute or two, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# The stubs stay out of the environment: their time.pyi would shadow the real one.
$(TYPINGS): constraints.txt | $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --target $(VENV)/typings --upgrade micropython-esp32-stubs
	@touch $@

# Makers' packages contradict each other's requirements: each set has a folder of its own.
$(VENV)/oracles/%/.installed: tests/oracles/%.txt | $(STAMP)
	@rm -rf $(@D)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) -r $<
	@touch $@

demo: $(STAMP) ## eleven virtual lampposts of Milan, live (without a terminal: a table, 20 s)
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/lampione demo; else exec $(BIN)/lampione demo --headless --for 20s; fi

check: $(STAMP) $(TYPINGS) ## lint, types, walls, schema, firmware compiled
	$(BIN)/python -m tools.check

# What needs a processor for itself comes first, in two groups (pytest's 5: there is none), the summary
# of the rest last.
# Four at a time on two cores: most of what a test does is wait for a board or a screen. Each takes a
# stretch of files, and of another's when it has done its own: brokers and databases start once.
test: check $(ORACLES) ## everything that must be green
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'serial and not soak' || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -n 4 --dist worksteal -m 'not soak and not serial'

soak: $(STAMP) $(ORACLES) ## the long forms (hours)
	$(BIN)/python -m pytest -m soak --timeout 0

bench: $(STAMP) ## what is fast, as ratios in one run
	$(BIN)/python -m benchmarks

faults: $(STAMP) ## break every part of a node in every way, print what happened
	$(BIN)/python -m tools.fault_table

mutants: $(STAMP) ## put faults into the firmware, write which suite caught them (half an hour)
	$(BIN)/python -m tools.mutant_table --whole --write

docs: $(STAMP) ## write the generated parts of docs/ anew
	$(BIN)/python -m tools.protocol_docs --write
	$(BIN)/python -m tools.config_docs --write

screens: $(STAMP) ## draw docs/screens/ anew: the demo's from a real run, the others from the tests
	$(BIN)/python -m lampione.demo.screenshot docs/screens/fleet.svg
	LAMPIONE_SCREENS=write $(BIN)/python -m pytest -q tests/controller/tui -k pictures

clean: ## remove what was made
	rm -rf $(VENV) build dist
