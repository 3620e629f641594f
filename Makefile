# `make` lists the commands. Everything is installed inside the clone: .venv and .cache.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
PACKAGES_FOR_DEMO := $(VENV)/.packages-for-demo

.PHONY: help
help: ## List these commands
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: setup
setup: $(PACKAGES) ## Install what tests and linters need into .venv

.PHONY: setup-demo
setup-demo: $(PACKAGES_FOR_DEMO) ## Install what the demo needs into .venv

.PHONY: demo
demo: setup-demo ## Run the action against a runner, GitHub and AWS on this machine
	@$(BIN)/python -m sandbox demo

.PHONY: docs
docs: setup-demo ## Write the generated pages in docs, and the tables in README.md and action.yml
	@$(BIN)/python -m sandbox texts
	@for name in reliability troubleshooting; do \
		page=$$($(BIN)/python -m sandbox $$name); echo "$$page" >docs/$$name.md; \
	done

.PHONY: soak
soak: setup-demo ## Run the action 1,000 times against services with random faults
	@$(BIN)/python -m sandbox soak

.PHONY: fuzz
fuzz: setup-demo ## Run random jobs: RUNS=3000, random SEED
	@$(BIN)/python -m sandbox fuzz $${RUNS:+--runs "$$RUNS"} $${SEED:+--seed "$$SEED"}

.PHONY: signals
signals: setup-demo ## Send signals and set time limits at random moments of many runs; random SEED
	@if engine=$$(tools/engine find); then eval "$$engine"; image=$$(tools/image); else image=; fi; \
	$(BIN)/python -m sandbox signals $${image:+"$$image"} $${SEED:+--seed "$$SEED"}

.PHONY: bench
bench: setup-demo ## Measure a run, and compare it with another action: REFERENCE=path/to/dist/index.js
	@engine=$$(tools/engine find); eval "$$engine"; image=$$(tools/image); \
	tools/oci-image --allow-newer .cache/image >/dev/null; \
	$(BIN)/python -m sandbox.bench "$$image" $${REFERENCE:+"$$REFERENCE"} --layout .cache/image

.PHONY: image
image: ## Build the image of the action, py-aws-oidc:dev
	@engine=$$(tools/engine find); eval "$$engine"; tools/image

.PHONY: test
test: setup ## Run all tests with coverage (those of the image need a Docker engine); T=FILE runs a part
ifdef T
	@if engine=$$(tools/engine find 2>/dev/null); then eval "$$engine"; fi; $(BIN)/python -m pytest $(T)
else
	@report=; \
	if engine=$$(tools/engine find); then \
		eval "$$engine"; tools/image >/dev/null; \
	else \
		echo "So the tests of the image will not run (with REQUIRE_CONTAINER=1, that is a failure)," \
			"and no minimum coverage is required."; report=--fail-under=0; \
	fi; \
	if ! PYTHON=$(BIN)/python tools/release setup --check; then \
		echo "So the tests of releases will not run (sudo tools/release setup installs what they need)," \
			"and the coverage has no bound."; report=--fail-under=0; \
	fi; \
	rm -f .coverage.*; status=0; \
	$(BIN)/coverage run -m pytest || status=$$?; \
	$(BIN)/coverage combine --quiet || status=$$?; \
	$(BIN)/coverage report $$report || status=$$?; \
	exit $$status
endif

.PHONY: test-fast
test-fast: setup ## Run the tests that are not marked slow, container or registry, without coverage
	@$(BIN)/python -m pytest -m "not slow and not container and not registry"

.PHONY: check
check: setup ## Run linters and type checks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck .ci/run $(filter-out %.py %.md %/__pycache__,$(wildcard tools/*))
	$(BIN)/actionlint
	$(BIN)/actionlint examples/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .
	$(BIN)/zizmor --offline --quiet --config examples/zizmor.yml examples/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/cfn-lint infra/cloudformation/*.yaml
	@if command -v terraform >/dev/null; then CHECKPOINT_DISABLE=1 terraform fmt -check -diff -recursive infra; \
	else echo "terraform is not installed; tests/infra check the formatting."; fi

.PHONY: lock
lock: ## Lock the newest versions in requirements/*.txt (needs uv, and root for Debian's packages)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	cd requirements && lock="uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes" && \
	$$lock --no-emit-package charset-normalizer --output-file image.txt image.in && \
	for name in sandbox dev; do $$lock --output-file $$name.txt $$name.in; done
	tools/oci-image lock

.PHONY: clean
clean: ## Remove all that was made here, and stop this clone's engine
	@if [[ -e .cache/engine ]]; then tools/engine stop; fi
	rm -rf .venv .cache .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -prune -exec rm -r {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "py-aws-oidc needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

# The folder src goes on the path by a .pth file: an editable install would build, and want build tools for the demo.
define install
	@echo "Installing $< into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@echo '$(CURDIR)/src' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/py-aws-oidc.pth"
	@touch $@
endef

$(PACKAGES_FOR_DEMO): requirements/sandbox.txt | $(BIN)/python
	$(install)

$(PACKAGES): requirements/dev.txt | $(BIN)/python
	$(install)
	@touch $(PACKAGES_FOR_DEMO) # dev.in contains sandbox.in
