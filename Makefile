# Needs Python 3.11 or newer and the package index; everything else lands in .venv and var/.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3.15 python3,$(shell command -v $(name))))
VENV = .venv/bin
export DJANGO_SETTINGS_MODULE ?= project.settings
# Where it is set, every program that the tests start would compile all of memwatch, and every worker all tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test test-deployment test-sites matrix soak bench bench-leaks bench-fleet bench-sites bench-work bench-deaths bench-recommendations lint docs reference changelog wheel lock screenshots clean

run: .venv/.installed
	@exec $(VENV)/python manage.py run_stack

demo: .venv/.installed
	@exec $(VENV)/python manage.py run_stack --demo

# Passes over the heap of the test run itself come first and alone: it is a third as large without the other tests.
# More workers than cores, since tests wait for programs that they start; tests/distribution.py says which runs what.
HEAP_TESTS = tests/agent tests/diagnosis tests/sampling tests/test_memory_profiler.py
# Files whose tests start whole servers say so themselves.
DEPLOYMENT_TESTS = $(shell grep -rlw pytest.mark.deployment tests --include='test_*.py')
# A worker that dies ends the run as failed: pytest-xdist never hands out the tests of the one that replaces it, and waits.
PYTEST = DJANGO_SETTINGS_MODULE=tests.settings $(VENV)/python -m pytest --dist loadfile --no-loadscope-reorder --max-worker-restart 0
test: .venv/.installed-dev
	@$(PYTEST) -n 3 $(HEAP_TESTS)
	@$(PYTEST) -n 4 $(HEAP_TESTS:%=--ignore=%) $(DEPLOYMENT_TESTS:%=--ignore=%)

# Whole servers (gunicorn, uvicorn, Celery, `make run`, the compose file) that are started, talked to, stopped and killed.
test-deployment: .venv/.installed-dev
	@$(PYTEST) -n 4 $(DEPLOYMENT_TESTS)

# memwatch in sites of others (Wagtail, Oscar, ...), from the package index into MEMWATCH_SITES_CACHE; SITE=wagtail for one.
test-sites: .venv/.installed-dev
	@DJANGO_SETTINGS_MODULE=tests.settings MEMWATCH_SITES=1 $(VENV)/python -m pytest -o faulthandler_timeout=0 -m sites tests/sites $(if $(SITE),-k $(SITE))

# The core's tests with every Python of this machine (pyenv's, those of the path, or PYTHONS="...") and each Django that
# fits. ONLY=3.13 for one Python, DJANGO=6.1 for one Django, ARGS go to pytest; RESULTS=docs/support.json for the docs.
matrix:
	@"$(PYTHON)" -m matrix $(ONLY:%=--only %) $(DJANGO:%=--django %) $(RESULTS:%=--results %) $(if $(ARGS),-- $(ARGS))

# A million hostile inputs, long recordings, and every outage: about 40 minutes. Writes the table of docs/reliability.md.
soak: .venv/.installed-dev
	@DJANGO_SETTINGS_MODULE=tests.settings MEMWATCH_SOAK=1 $(VENV)/python -m pytest -o faulthandler_timeout=0 -m soak
	@$(VENV)/python -m benchmarks.outages $(OUTAGES)

lint: .venv/.installed-dev
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/codespell
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python manage.py makemigrations --check --dry-run
	$(VENV)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(VENV)/python -m project.locked

bench: .venv/.installed-dev
	$(VENV)/python -m benchmarks

bench-leaks: .venv/.installed-dev
	$(VENV)/python -m benchmarks.leaks $(if $(QUICK),--quick)

# Simulated agents against PostgreSQL and Redis, e.g. make bench-fleet PROCESSES=5000.
bench-fleet: .venv/.installed-dev
	$(VENV)/python -m benchmarks.fleet --processes $(or $(PROCESSES),5000)

# Planted leaks in real sites, e.g. make bench-sites SITE=pulp LEAK=request INTERVAL=5 MINUTES=3.
bench-sites: .venv/.installed-dev
	$(VENV)/python -m benchmarks.sites $(SITE:%=--site=%) $(LEAK:%=--leak=%) $(INTERVAL:%=--interval=%) $(RATE:%=--rate=%) $(MINUTES:%=--minutes=%)

# Which view or task leaks, over real servers, e.g. make bench-work PARTS=programs HALF=scoring; all of it: over two hours.
bench-work: .venv/.installed-dev
	$(VENV)/python -m benchmarks.work $(PARTS) $(HALF:%=--half=%)

# What is said of processes that end, over real servers and memory cgroups; half an hour.
bench-deaths: .venv/.installed-dev
	$(VENV)/python -m benchmarks.deaths $(HALF:%=--half=%)

# Recycling numbers for simulated services and for four real ones, e.g. make bench-recommendations HALF=scoring; 10 minutes.
bench-recommendations: .venv/.installed-dev
	$(VENV)/python -m benchmarks.recommendations $(HALF:%=--half=%)

# The documentation as a site, in docs/_build.
docs: .venv/.installed-dev
	$(VENV)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "docs/_build/index.html"

# Writes the made parts of the reference pages: settings, commands, metrics, tables, API.
reference: .venv/.installed-dev
	@$(VENV)/python -m docs.make_reference

# What the notes of the next release will say, from changelog.d/.
changelog: .venv/.installed-dev
	@$(VENV)/towncrier build --draft

# A wheel for this machine in dist/, checked in an environment of its own.
wheel: .venv/.installed-dev
	@rm -rf build dist
	@$(VENV)/python -m pip wheel -q --no-deps --no-build-isolation --wheel-dir dist .
	@$(VENV)/python -m venv dist/venv
	@dist/venv/bin/pip install -q dist/memwatch-*.whl
	@cd dist && venv/bin/python ../project/check_wheel.py
	@ls dist/memwatch-*.whl

# Makes docs/images/ from the demo; takes some minutes and Debian's chromium.
screenshots: .venv/.installed-dev
	@$(VENV)/python docs/images/make_screenshots.py

# Writes requirements.txt and requirements-dev.txt from pyproject.toml.
lock: .venv/.installed-dev
	$(VENV)/python -m project.locked --write

clean:
	rm -rf .venv var build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

COMPILED = $(wildcard memwatch/*/_*.c memwatch/*/*/_*.c)

.venv/.installed: requirements.txt pyproject.toml project/install.py $(COMPILED)
	@test -n "$(PYTHON)" || { echo "memwatch: no Python found: install Python 3.11 or newer, or make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" project/install.py requirements.txt && touch $@

.venv/.installed-dev: requirements-dev.txt pyproject.toml project/install.py $(COMPILED)
	@test -n "$(PYTHON)" || { echo "memwatch: no Python found: install Python 3.11 or newer, or make test PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" project/install.py requirements-dev.txt && touch $@ .venv/.installed
