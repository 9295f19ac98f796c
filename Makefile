# make assess PHOTO=path   what is damaged on a photo (without PHOTO: on one of examples/)
# make test                every test; the first time this installs what tests need, some 7 GB, most of it PyTorch
# make test-models         every network that a recipe can name: trained a few steps, exported, asked
# make fuzz                files changed at random, for an hour (SECONDS=60: a minute)
# make lint types contracts                the other checks of .ci/run
# make clean               removes the virtual environment and everything that tools left behind
#
# PYTHON=python3.12 chooses the interpreter, VENV=path the virtual environment, ARGS="-k report" goes to pytest.

PYTHON ?= python3
VENV ?= .venv
PHOTO ?= examples/car_04.jpg
ARGS ?=
SECONDS ?= 3600

BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: assess test test-models fuzz lint types contracts clean
.NOTPARALLEL:

assess: $(VENV)/.serving
	@$(BIN)/dentify assess "$(PHOTO)"

test: $(VENV)/.development
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

test-models: $(VENV)/.development
	$(BIN)/python -m pytest tests/training -m models -p no:randomly $(ARGS)

fuzz: $(VENV)/.development
	DENTIFY_FUZZ=$(SECONDS) $(BIN)/python -m pytest tests/fuzz -p no:randomly $(ARGS)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.development
	$(BIN)/mypy

contracts: $(VENV)/.development
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Pages are tested in Chromium: where it is missing, root on Debian gets it, and for all others those tests are skipped.
CHROMIUM := command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
	|| { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; } \
	|| echo "no Chromium: tests in a browser are skipped" >&2

# A stamp older than pyproject.toml installs again; `--group` needs pip 25.1.
$(VENV)/.serving: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.development: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --editable ".[train,tune,evaluate,data,beam,supervision]" --group dev --group dev-train
	@$(CHROMIUM)
	@touch $@ $(VENV)/.serving

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Dentify needs Python 3.11 or newer: name one, for example PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -f $@; exit 1; }
