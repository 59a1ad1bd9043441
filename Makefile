# `make demo` and `make test` work on a fresh machine that has git, make and Python 3.11 or newer.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
HOST ?= 127.0.0.1
SECONDS ?= 60
VAR := $(if $(TAHAN_UJI_VAR),$(TAHAN_UJI_VAR),var)
COMMA := ,
# Phones come by whatever name this machine has on their network; who stays at home needs no more than this.
DEMO_HOSTS := $(if $(filter 127.0.0.1 localhost,$(HOST)),localhost$(COMMA)127.0.0.1,*)

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-notifications chaos lock messages clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 22

# The stamp is newer than the lock file only if every package of it is installed.
$(BIN)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; '$(PYTHON)' is older. Say which one: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# The demo's own key: made once, kept with its data, never used for anything else.
$(VAR)/demo/secret-key: $(BIN)/.installed
	@mkdir -p $(@D)
	@umask 077; $(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))' > $@

demo: $(BIN)/.installed $(VAR)/demo/secret-key ## Set everything up and serve a demo exam (PORT=8000, HOST=127.0.0.1)
	@SECRET_KEY="$$(cat $(VAR)/demo/secret-key)" HTTPS=false ALLOWED_HOSTS='$(DEMO_HOSTS)' PORT=$(PORT) sh -c '\
		trap : INT; worker=; \
		$(BIN)/python manage.py migrate --verbosity 0 && \
		$(BIN)/python manage.py demo --host $(HOST) --port $(PORT) && { \
			$(BIN)/python manage.py worker & worker=$$!; \
			$(BIN)/python manage.py serve --host $(HOST) --port $(PORT); \
		}; \
		status=$$?; \
		[ -z "$$worker" ] || { kill $$worker; wait $$worker; } 2>/dev/null; \
		[ -n "$$DATABASE_URL" ] || $(BIN)/python manage.py database stop --unless-used; \
		exit $$status'

test: $(BIN)/.installed ## Run all tests, on an embedded PostgreSQL
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(BIN)/.installed ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@SECRET_KEY=lint $(BIN)/mypy

bench: $(BIN)/.installed ## Compare with a plain Django view and with pgbench (needs wrk)
	@$(BIN)/python -m bench $(ARGS)

bench-notifications: $(BIN)/.installed ## Compare our worker with one django-q2 task for each message
	@$(BIN)/python -m bench.notifications $(ARGS)

chaos: $(BIN)/.installed ## Save under kills and look everything up afterwards (SECONDS=60)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) $(ARGS)

lock: $(BIN)/.installed ## Pin the newest allowed versions into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --quiet \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --output-file requirements.lock

messages: $(BIN)/.installed ## Compile the translations
	@$(BIN)/pybabel compile --domain django --directory exams/locale

clean: ## Remove the environment, the demo's data and all that was built
	@if [ -x $(BIN)/python ]; then SECRET_KEY=clean $(BIN)/python manage.py database stop || true; fi
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis
