# Needs Python 3.11 to 3.13, pip and make; everything else is installed into .venv, and nothing is written outside this
# directory and DATA_DIR.
VENV := .venv
BIN := $(VENV)/bin
FITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p $(FITS) && { echo $$p; break; }; done)
# The records of one profile say nothing of another's data.
OWN_HOME := $(CURDIR)/.dagster_home/$(or $(basename $(notdir $(strip $(MAXSIGHT_PROFILE)))),sample)
ifeq ($(strip $(DAGSTER_HOME)),)
override DAGSTER_HOME := $(OWN_HOME)
endif
export DAGSTER_HOME
# Where the environment says otherwise, every process that make starts would compile Dagster anew.
export PYTHONDONTWRITEBYTECODE =
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
PORT ?= 3000

.PHONY: run ui test test-slow lint bench reliability docs-reference lock clean help dagster-home

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: $(READY) dagster-home ## Materialize the whole graph from the embedded upstream
	@$(BIN)/maxsight-assets materialize

ui: $(READY) dagster-home ## Open Dagster on 127.0.0.1 (PORT=3000, READ_ONLY=1 to look only)
ifdef READ_ONLY
	@$(BIN)/dagster-webserver --read-only -h 127.0.0.1 -p $(PORT) -w workspace.yaml
else
	@$(BIN)/maxsight-assets doctor --quick --fix || true
	@$(BIN)/dagster dev -h 127.0.0.1 -p $(PORT) -w workspace.yaml
endif

test: $(READY_DEV) ## Tests that take less than ten minutes
	@$(BIN)/python -m pytest -n 4 --dist loadfile -m "not slow"

test-slow: $(READY_DEV) ## Kill loops, full-size data, real daemon and browser
	@$(BIN)/python -m pytest -n 3 --dist loadfile -m slow --timeout 1800

lint: $(READY_DEV) ## Ruff, strict types, the layering rule
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(READY_DEV) ## Side-by-side measurements against the named baselines
	@for b in coco landing openimages splits verify evaluation; do echo "== $$b" && $(BIN)/python benchmarks/$$b.py || exit 1; done

reliability: $(READY_DEV) ## Run the fault matrix and write docs/reference/fault-results.md
	@$(BIN)/python -m maxsight_assets_tests.reliability

docs-reference: $(READY_DEV) ## Write the parts of the docs that follow from the code
	@$(BIN)/python -m maxsight_assets_tests.reference

lock: $(READY) ## Pin the newest releases that pyproject.toml admits
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--upgrade --group setup pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--constraints requirements.lock --upgrade --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove what make made, but never a DATA_DIR of your own
	@rm -rf $(VENV) .dagster_home datasets_sample .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(READY): requirements.lock pyproject.toml
	@$(or $(PYTHON),false) $(FITS) || { echo "Python 3.11, 3.12 or 3.13 is needed, and $(or $(PYTHON),python3) is $$( \
		$(or $(PYTHON),python3) --version 2>&1); set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ {p = 1} p {print} p && !/\\$$/ && !/^    #/ {exit}' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(READY_DEV): $(READY) requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

# No file's rule, because its path may hold blanks, which make cannot say. In a DAGSTER_HOME of your own, yours stays.
dagster-home:
	@case "$$DAGSTER_HOME" in /*) ;; *) echo "DAGSTER_HOME=$$DAGSTER_HOME: write it as an absolute path" >&2; exit 1;; esac
	@mkdir -p "$$DAGSTER_HOME"
	@[ "$$DAGSTER_HOME/dagster.yaml" -nt dagster.yaml ] || \
		{ [ "$$DAGSTER_HOME" != "$(OWN_HOME)" ] && [ -e "$$DAGSTER_HOME/dagster.yaml" ]; } || \
		cp dagster.yaml "$$DAGSTER_HOME/dagster.yaml"
