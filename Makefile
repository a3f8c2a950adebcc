# `make` lists what can be done.

SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

export HOST ?= 127.0.0.1
export PORT ?= 8080
export WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)
export THREADS ?= 8
export FRONTEND_DIR ?= $(CURDIR)/frontend

# Set for `make run` alone: what else starts the function says itself where, and how many.
SERVING := HOST PORT WORKERS THREADS FRONTEND_DIR

RECORDS ?= 1000000
IMAGE ?= digit-reader

.DEFAULT_GOAL := help
.PHONY: help run test test-containers image image-size sbom bench bench-records bench-remote soak cold-start figures stages screenshots \
  fuzz audit doctor coverage mutants lint lock train convert

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

run: $(VENV)/serving  ## serve page and function on http://localhost:8080 (PORT, HOST, RECORDS_URL, …)
	@echo "Page:  http://localhost:$(PORT)/"
	@echo "Or:    curl -F image=@$(CURDIR)/docs/9.png http://localhost:$(PORT)/"
	@$(BIN)/python -m compileall -q function  # a cold start takes a fifth longer without
	@exec $(BIN)/functions-framework --source function/main.py --target recognise

test: $(VENV)/testing lint  ## install all that the tests need and run them; says what it had to skip
	@tests/install-system-packages
	@tests/install-cassandra $(VENV)/cassandra
	@$(MAKE) --no-print-directory $(VENV)/node
	@unset $(SERVING); $(BIN)/python -m pytest --ignore tests/containers

test-containers: $(VENV)/testing  ## build the image and try the whole system out on a container engine (Docker with compose)
	@unset $(SERVING); $(BIN)/python -m pytest tests/containers

image:  ## build the function's image (IMAGE=…)
	docker build --tag $(IMAGE) .

image-size: image $(VENV)/testing  ## say how much each layer and package of the image weighs
	@$(BIN)/python -m deploy.image size $(IMAGE)

sbom: image $(VENV)/testing  ## write the image's bill of materials, sbom.json (CycloneDX)
	@$(BIN)/python -m deploy.image sbom $(IMAGE) > sbom.json && echo sbom.json

bench: $(VENV)/testing  ## measure cold start, latency, throughput, memory and size beside other ways to serve a model
	@tests/install-system-packages
	@tests/install-cassandra $(VENV)/cassandra
	@unset $(SERVING); $(BIN)/python -m bench.serving

bench-records: $(VENV)/testing  ## measure what recording costs, over SQLite and a real Cassandra (RECORDS=… to page through)
	@tests/install-system-packages
	@tests/install-cassandra $(VENV)/cassandra
	@unset $(SERVING); $(BIN)/python -m bench.records --records $(RECORDS)

bench-remote: $(VENV)/bin/python  ## measure a deployed function, cold and warm (URL=…; COLD, WAIT, REQUESTS, CONCURRENCY, CSV, RECORD=yes)
	@$(BIN)/python -m bench.remote $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(CONCURRENCY),--concurrency $(CONCURRENCY)) \
	  $(if $(COLD),--cold $(COLD)) $(if $(WAIT),--wait $(WAIT)) $(if $(CSV),--csv $(CSV)) $(if $(RECORD),--record) '$(URL)'

soak: $(VENV)/testing  ## put eight times the load on the function that it can serve, for SECONDS=600
	@unset $(SERVING); $(BIN)/python -m bench.soak $(if $(SECONDS),--seconds $(SECONDS))

cold-start: $(VENV)/testing  ## draw where a cold start's time goes, to docs/importtime.png and docs/flame.png (Linux)
	@unset $(SERVING); $(BIN)/python -m bench.cold

figures: $(VENV)/testing  ## measure recognition for the model card (PICTURES=… a folder of labelled pictures)
	@unset $(SERVING); $(BIN)/python -m bench.recognition $(if $(PICTURES),--pictures $(PICTURES))

stages: $(VENV)/testing  ## draw how a picture is prepared, step by step, to stages.png (PICTURE=docs/9.png)
	@unset $(SERVING); $(BIN)/python -m bench.stages $(or $(PICTURE),docs/9.png) stages.png && echo stages.png

screenshots: $(VENV)/testing  ## draw the page's pictures for README, docs/page-*.png, and its icons
	@tests/install-system-packages
	@unset $(SERVING); $(BIN)/python -m tests.screenshots

fuzz: $(VENV)/testing  ## fuzz uploads and pictures, guided by coverage, for SECONDS=600 each; findings are left in .fuzz/
	@for target in upload decode; do $(BIN)/python -m tests.fuzz $$target --seconds $(or $(SECONDS),600) || exit 1; done

audit: $(VENV)/testing  ## ask whether a pinned version has a known vulnerability; fails where that cannot be asked, and says so
	@$(BIN)/python -m deploy.audit

doctor: $(VENV)/serving  ## say what is wrong here, and what to do about it
	@$(BIN)/python -m function.doctor

coverage: $(VENV)/testing  ## say which lines and branches of function/ the tests run
	@tests/install-system-packages
	@tests/install-cassandra $(VENV)/cassandra
	@$(MAKE) --no-print-directory $(VENV)/node
	@rm -rf .coverage && mkdir .coverage
	@unset $(SERVING); $(BIN)/coverage run -m pytest --ignore tests/containers --ignore tests/test_cold.py; \
	  $(BIN)/coverage combine --quiet && $(BIN)/coverage report --fail-under 95

mutants: $(VENV)/testing  ## say which changes to prepare, records and upload no test would notice (docs/mutants.md)
	@unset $(SERVING); MNIST_DIR=$${MNIST_DIR:-$(CURDIR)/data} $(BIN)/mutmut run && $(BIN)/mutmut results

lock: $(VENV)/testing  ## write the pinned requirements, with hashes, from the .in files
	@for name in function/requirements deploy/numpy; do $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	  --python-version 3.11 --custom-compile-command "make lock" $$name.in --output-file $$name.txt; done

lint: $(VENV)/testing  ## ruff, mypy strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

train: $(VENV)/training  ## train model/digits.keras on MNIST (downloaded to data/, or from MNIST_DIR)
	@$(BIN)/python train.py $(if $(EXTRA),--start model/digits.keras --epochs 10 --extra $(EXTRA))

convert: $(VENV)/training  ## make and check model/digits_int8.tflite from model/digits.keras
	@$(BIN)/python convert_tflite.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/serving: function/requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/training: requirements-train.txt function/requirements.in $(VENV)/serving
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/testing: requirements-test.txt $(VENV)/training
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# What cannot be installed is left out, and the tests that need it say so.
$(VENV)/node: tests/node/package-lock.json
	@if npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error; then touch $@; \
	  else echo "cannot install Node's packages: the tests that need them are skipped"; fi
