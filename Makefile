# Every goal sets up what it needs: a virtual environment in .venv with spqc and its tools, made once.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.spqc-installed
PEERS := $(VENV)/.spqc-bench-installed
WORKERS ?= 2
STRESS_SECONDS ?= 3600
FUZZ_SECONDS ?= 600
SEED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup demo test test-slow stress fuzz coverage lint format ablations bench-cpu bench-quick bench-scaling papers \
	ir-reference clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv with spqc and its tools

# torch first and pinned: no other package may choose its build.
$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed"; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11; set PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet "torch==2.13.0"
	@$(BIN)/python -m pip install --quiet --editable '.[torch,dev]'
	@touch $@

demo: $(STAMP)  ## Compile the trained digits network, run it, prove it exact, measure it
	@mkdir -p out
	@echo "1. Compile a trained network (4-bit power-of-two weights, ternary membrane) for this machine"
	$(BIN)/spqc compile examples/digits.pt --target llvm -o out/digits.spqc
	@echo; echo "2. Run it on the real test images"
	$(BIN)/spqc run out/digits.spqc --data digits
	@echo; echo "3. Compare every spike, state, mask and logit with PyTorch and with the interpreter"
	$(BIN)/spqc verify examples/digits.pt out/digits.spqc
	@echo; echo "4. Measure it beside PyTorch eager"
	$(BIN)/spqc bench out/digits.spqc --model examples/digits.pt --threads 1
	@echo; echo "5. Look inside"
	$(BIN)/spqc inspect out/digits.spqc

test: $(STAMP)  ## The default tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not device"

test-slow: $(STAMP)  ## The slow tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "slow and not device"

stress: $(STAMP)  ## Random networks against the interpreter for STRESS_SECONDS (3600); a later run goes on behind it
	@mkdir -p out
	PYTHONPATH=tests:. $(BIN)/python -m stress --seconds $(STRESS_SECONDS) --workers $(WORKERS) --log out/stress.jsonl

fuzz: $(STAMP)  ## Read damaged files for FUZZ_SECONDS (600), as SEED (0) damages them; keeps what was found in out/fuzz
	PYTHONPATH=tests:. $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --seed $(SEED)

coverage: $(STAMP)  ## The default tests, and how much of the source they run; fails below the floor in pyproject.toml
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not device" --cov --cov-report=term:skip-covered

lint: $(STAMP)  ## ruff, its format, and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## Let ruff mend what it can, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The peers are large and only the benchmark needs them.
$(PEERS): $(STAMP)
	@echo "Installing what the benchmark compares with (once)"
	@$(BIN)/python -m pip install --quiet --editable '.[torch,dev,bench]'
	@touch $@

bench-cpu: $(PEERS)  ## Measure against PyTorch, ONNX Runtime, OpenVINO, SpikingJelly; writes bench/results, docs/benchmarks.md
	$(BIN)/python -m bench.cpu

ablations: $(STAMP)  ## Train the ablations that are missing; writes bench/results/ablations.json, docs/ablations.md
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.ablations

bench-quick: $(PEERS)  ## One small network against every peer; writes nothing
	$(BIN)/python -m bench.cpu --quick --only digits --threads 1

bench-scaling: $(PEERS)  ## Plot cost against steps, batch and spike rate; writes bench/results and docs/scaling.svg
	$(BIN)/python -m bench.cpu.scaling

papers: $(STAMP)  ## Compute the papers' numbers again; writes docs/papers.md
	$(BIN)/python -m bench.papers docs/papers.md

ir-reference: $(STAMP)  ## Write the reference of the IR from its classes; writes docs/ir.md
	$(BIN)/python -m bench.ir_reference docs/ir.md

clean:  ## Remove what was built, but for .venv
	rm -rf out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
