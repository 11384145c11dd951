# All commands for developers and CI. Run `make` to list them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Four workers on two cores, because some tests only wait for processes. conftest.py sets the order.
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

SERVE := PATH="$(abspath $(BIN)):$$PATH" PORT=$${PORT:-8000} $(BIN)/honcho start web worker beat

# If this were set, each process that a test starts would compile the project again.
unexport PYTHONDONTWRITEBYTECODE

# TEST_SERVICES=1 runs the tests on PostgreSQL and Redis, which must be running.
ifdef TEST_SERVICES
DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/financeproj_test
REDIS_URL ?= redis://127.0.0.1:6379/15
export TEST_SERVICES DATABASE_URL REDIS_URL
endif

.PHONY: help demo run test check openapi examples bench fuzz load deploy-test lock clean

help:
	@grep -E '^## ' Makefile | sed 's/^## //'

$(VENV)/.ready: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

.env:
	printf 'SECRET_KEY=%s\n' "$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" > .env
	printf 'DEBUG=true\n' >> .env
	chmod 600 .env

## make demo    set up everything, load demo data, serve http://127.0.0.1:8000
demo: $(VENV)/.ready .env
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py make_demo
	$(SERVE)

## make run     the same without demo data
run: $(VENV)/.ready .env
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py offer_superuser
	$(SERVE)

## make test    run all tests; TEST_SERVICES=1 uses PostgreSQL and Redis, COVERAGE=1 also checks the coverage limits
# Coverage is optional because measuring it doubles the time.
test: $(VENV)/.dev .env
ifdef COVERAGE
	$(PYTEST) --cov --cov-report=term --cov-report=json:var/coverage.json
	$(BIN)/python -m tests.branches var/coverage.json
else
	$(PYTEST)
endif

## make check   check style, types, imports, security, migrations, deployment settings and schema
check: $(VENV)/.dev .env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --any-exprs-report var/types financeproj marketdata portfolios pensions integrations
	$(BIN)/python -m tests.typed var/types
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive financeproj marketdata portfolios pensions integrations
	$(BIN)/hadolint Dockerfile
	$(BIN)/python manage.py makemigrations --check --dry-run
	env -u DATABASE_URL -u REDIS_URL DEBUG=false SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
		ALLOWED_HOSTS=finance.example.org $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/python -m pytest -q tests/test_contract.py tests/test_openapi.py

## make openapi write docs/openapi.yaml from the code; `make examples` also records its examples again
openapi: $(VENV)/.dev .env
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

examples: $(VENV)/.dev .env
	RECORD_EXAMPLES=1 $(BIN)/python -m pytest -q tests/test_url_walk.py -k owner
	$(MAKE) openapi

## make bench   measure the speed of imports and reports, as ratios within one run
bench: $(VENV)/.dev .env
	$(BIN)/python -m benchmarks

## make fuzz    send 10,000 made-up requests and files to a server, import 10,000 mutated files
fuzz: $(VENV)/.dev .env
	FUZZ=1 TEST_TIMINGS=1 $(BIN)/python -m pytest -q -s tests/test_fuzz.py
	FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest -q --show-capture=no integrations/imports/tests/test_import_fuzz.py

## make load    simulate 50 concurrent users for four minutes, on PostgreSQL and Redis
load: $(VENV)/.dev .env
	$(BIN)/python -m benchmarks.load

## make deploy-test  run the commands of README.md and docs/deploy.md in a clean folder, as an unprivileged user
# Not part of `make test`, because it installs every package from the network, which takes minutes.
deploy-test: $(VENV)/.dev .env
	DEPLOY_TEST=1 $(BIN)/python -m pytest -q tests/test_deploy.py

## make lock    pin requirements.in and requirements-dev.in with hashes
lock: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-strip-extras requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-strip-extras requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) var staticfiles .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
