# Everything a user or a developer does, as one command each. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup repro demo paper test test-slow coverage verify bench bench-quick docs plots-page bits lint format tensorboard lock clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## make .venv with the package and its pinned dependencies; CPU=1: without CUDA

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	@echo "setting up $(VENV): a few minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(if $(CPU),$(BIN)/python -m pip install --quiet --disable-pip-version-check --index-url https://download.pytorch.org/whl/cpu "$$(grep '^torch==' requirements.lock)")
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

repro: $(READY) ## the main job: data, training, evaluation, report
	@dropout-bench repro
	@echo "report: reports/report.md"

paper: $(READY) ## an hour on 2 cores: the large network of the 2014 paper, a report of its own
	@dropout-bench suite paper

demo: $(READY) ## under 20 seconds, without network: small digits, a report of their own
	@dropout-bench suite demo

PYTEST := python -m pytest
test: $(READY) ## the tests, but for the slow ones, on all cores
	@$(PYTEST) --numprocesses logical --dist loadfile

test-slow: $(READY) ## the slow tests, and whether the committed report is that of this code
	@$(PYTEST) -m slow

coverage: $(READY) ## both, and how much of src they reach: at least 95 % of lines and branches
	@coverage erase
	@$(MAKE) --no-print-directory test test-slow PYTEST="coverage run -m pytest"
	@coverage combine --quiet
	@coverage report

SAMPLE ?= 24
verify: $(READY) data/raw/mnist data/raw/fashion-mnist ## is the committed report true? A part of its runs is trained again
	@dropout-bench verify --sample $(SAMPLE) $(if $(WITNESS),--witness $(WITNESS))

bench: $(READY) data/raw/mnist ## how fast it is, beside others: reports/benchmark.md (25 min, nothing else running)
	@python -m benchmarks.run

bench-quick: $(READY) data/raw/mnist ## the same in under 3 minutes, printed
	@python -m benchmarks.run --quick

data/raw/mnist data/raw/fashion-mnist: $(READY)
	@dropout-bench download $(@F)

docs: $(READY) ## write what is computed of docs/keys.md, docs/method.md (2 min) and README.md; the pipeline's picture
	@python docs/reference.py > docs/keys.md
	@python docs/readme.py
	@python docs/simulated.py
	@python docs/pipeline.py

plots-page: $(READY) ## the page of DVC's plots anew, with Vega in it (npm): .dvc/vega/page.html
	@python docs/plots_page.py

bits: $(READY) ## record anew what bits each variant is trained to: tests/digests.json
	@python tests/bits.py > tests/.digests.json && mv tests/.digests.json tests/digests.json

lint: $(READY) ## style and types; any warning is an error
	@ruff check .
	@ruff format --check .
	@mypy

format: $(READY) ## mend what lint can mend by itself
	@ruff check --fix .
	@ruff format .

tensorboard: $(READY) ## learning curves and hyper-parameters in the browser
	@dropout-bench tensorboard

lock: ## pin the newest dependencies that fit together in requirements.lock
	@rm -rf $(VENV).lock
	@$(PYTHON) -m venv $(VENV).lock
	@$(VENV).lock/bin/python -m pip install --quiet torch==2.13.0
	@$(VENV).lock/bin/python -m pip install --quiet --editable '.[dev]'
	@$(VENV).lock/bin/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9]*$$//' | grep -vE '^(nvidia|cuda|triton)' > requirements.lock
	@rm -rf $(VENV).lock

clean: ## remove what can be made again, but for the run store
	@rm -rf $(VENV) runs logs reports/demo .mypy_cache .ruff_cache .pytest_cache
