# Everything here works on a fresh machine with python3 (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1
TEST := -m pytest -q -n auto --maxprocesses 4 --dist loadscope

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/.run ## start the gateway on 127.0.0.1:8082 with config.toml
	$(BIN)/python -m gateway serve

test: .venv/.dev ## all the tests
	$(BIN)/python $(TEST)

check: .venv/.dev ## what CI runs: format, lint, types, imports, dead code, tests, instructions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python $(TEST)
	$(BIN)/python -m tests.bench --check

coverage: .venv/.dev ## the tests once more, with what they cover, in child processes too
	$(BIN)/coverage erase
	$(BIN)/coverage run $(TEST)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

torture: .venv/.dev ## the longer runs: many hang-ups, slow readers, storms
	$(BIN)/python -m pytest -q -m torture -o timeout=600
	$(BIN)/python -m pytest -q tests/dialects tests/test_*.py --hypothesis-profile=searching

clients: .venv/.dev ## Claude Code, Codex, Gemini CLI and others, installed under .clients/, against the gateway
	$(BIN)/python -m tests.clients.install
	INTERLINGUA_REQUIRE_CLIENTS=1 $(BIN)/python -m pytest -q -m clients -o timeout=180 tests/clients tests/sdk

bench: .venv/.dev ## CPU per request and per stream, nginx beside it
	$(BIN)/python -m tests.bench

bench-peers: .venv/.dev .peers/.there ## other gateways beside ours
	$(BIN)/python -m tests.bench --peers

.peers/.there:
	mkdir -p .peers/portkey
	-$(PYTHON) -m venv .peers/litellm && .peers/litellm/bin/pip install -q 'litellm[proxy]'
	-$(PYTHON) -m venv .peers/vandamme && .peers/vandamme/bin/pip install -q vandamme-proxy
	-npm install --silent --no-fund --no-audit --prefix .peers/portkey @portkey-ai/gateway
	touch $@

bench-check: .venv/.dev ## whether a call takes more instructions than were kept
	$(BIN)/python -m tests.bench --check

docs: .venv/.dev ## rewrite the tables of docs/ that are made from code
	$(BIN)/python -m tests.docs

lock: ## renew the hash-pinned locks (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --group dev pyproject.toml -o requirements-dev.lock

.venv/.run: requirements.lock
	$(PYTHON) -m venv .venv || { echo "python3 has no venv module: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

.PHONY: help run test check coverage torture clients bench bench-peers bench-check docs lock
