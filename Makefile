# Each target does its own set-up: on a bare Debian or Raspberry Pi OS, `make demo` and `make test` are enough.
#
#   make demo       calibrate on a synthesised machine, inject faults, show the alerts that a subscriber receives;
#                   ARGS=--watch shows it in a browser too, ARGS=--learn a daemon that learns the machine by itself
#   make test       the tests, in three processes; SLOW=1 adds the slow ones, ARGS="-k ring" goes to pytest, WORKERS=0 is for --pdb
#   make check      format, lint, types, import directions, tests
#   make fix        what ruff can mend by itself
#   make bench      milliseconds of one core per second of audio, on this machine
#   make fuzz       hostile bundles, configurations and audio files for a minute; ARGS="--minutes 10 --seed 1" for more
#   make docs       the documentation as a site in build/docs, with reference tables generated from the code
#   make lock       requirements/*.lock again, with the newest versions that pyproject.toml allows
#   make test-faults
#                   broker, daemon, network, sound device, disk and clock fail at random while 40 faults are played, for 7 minutes;
#                   ARGS="--seed 1" for the same again, ARGS=--short for a minute of it; ARGS=--long for a day of four machines at ten
#                   times their speed, with slow and read-only disks and too little memory, ARGS="--long --hours 2" for two hours of it
#   make test-homeassistant
#                   `auscult run` with a real Home Assistant, which it installs in build/ at first (800 MB; needs Python 3.13)
#   make dist       wheel and source distribution in dist/, checked
#   make deb        a Debian package in dist/ for this machine; ARGS="--arch arm64 --python 3.13" for another
#   make install    as root, on a device: /opt/auscult, /etc/auscult, the systemd unit; `make uninstall` takes it away again
#
# PYTHON names another interpreter (3.10 or newer), VENV another place for the virtual environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
SLOW ?=
WORKERS ?= 3
export PYTHON

.PHONY: help demo test check lint fix docs bench fuzz test-faults test-homeassistant lock dist deb setup install uninstall clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

# Stamps: an environment is brought up to date only when pyproject.toml is newer. The full one serves for the smaller ones too.
$(VENV)/.dev: pyproject.toml
	@.ci/setup venv $(VENV) dev
	@touch $(VENV)/.dev $(VENV)/.demo $(VENV)/.docs

$(VENV)/.docs: pyproject.toml
	@.ci/setup venv $(VENV) docs
	@touch $@

$(VENV)/.demo: pyproject.toml
	@.ci/setup venv $(VENV) demo
	@touch $@

# Asked each time: it is quick, and what it looks for may have been removed.
.PHONY: test-programs
test-programs:
	@.ci/setup system mosquitto pulseaudio portaudio ffmpeg chromium

setup: $(VENV)/.dev test-programs

demo: $(VENV)/.demo
	@$(BIN)/auscult demo $(ARGS)

test: setup
	@PATH="$$PATH:/usr/sbin:/sbin" $(BIN)/python -m pytest --numprocesses $(WORKERS) $(if $(SLOW),-m "") $(ARGS)

# Four targets, so that `make -k lint` (CI) shows what all of them find.
.PHONY: lint-format lint-code lint-types lint-imports
lint: lint-format lint-code lint-types lint-imports

lint-format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint-code: $(VENV)/.dev
	$(BIN)/ruff check .

lint-types: $(VENV)/.dev
	$(BIN)/mypy

lint-imports: $(VENV)/.dev
	$(BIN)/lint-imports

check: lint test

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs
	@$(BIN)/python -m docs.generator
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "docs: build/docs/index.html"

bench: $(VENV)/.dev
	@$(BIN)/auscult benchmark cost $(ARGS)

fuzz: $(VENV)/.dev
	@$(BIN)/python -m tests.fuzz $(ARGS)

lock: $(VENV)/.dev
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet uv
	@$(BIN)/python .ci/lock.py

dist: $(VENV)/.dev
	@rm -rf dist/auscult-* build
	@$(BIN)/python -m build --no-isolation >/dev/null
	@$(BIN)/python -m twine --no-color check --strict dist/auscult-*.whl dist/auscult-*.tar.gz
	@$(BIN)/check-wheel-contents dist/auscult-*.whl

deb: $(VENV)/.dev
	@$(BIN)/python packaging/debian/build.py $(ARGS)

test-faults: setup
	@PATH="$$PATH:/usr/sbin:/sbin" $(BIN)/python -m tests.faults $(ARGS)

test-homeassistant: setup
	@AUSCULT_INSTALL_HOME_ASSISTANT=1 PATH="$$PATH:/usr/sbin:/sbin" $(BIN)/python -m pytest -m "" tests/edge/homeassistant $(ARGS)

install:
	@systemd/install

uninstall:
	@systemd/uninstall

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
