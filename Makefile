# The verbs of the project. Each sets up what it needs, and does nothing twice.
#
#   make demo    the main job, on this machine        make test    all tests
#   make build   everything compiled                  make check   linters and type checkers
#   make setup   system packages, Python packages     make doctor  what this machine can and cannot do
#   make bench   port against NIF, and against what lies below: tables, JSON, pictures
#   make test-aarch64   the main job on ARM64, emulated
#   make test-consumers   projects that depend on this, by rebar3 and mix, and releases
#
# REBAR=no     compile with erlc alone: rebar3 loads crypto, and dies where NIFs do
# PYTHON=path  the Python that the virtual environment is made of (3.10 or later); VENV_FLAGS goes to its venv

PYTHON ?= python3
REBAR  ?= rebar3
VENV   := .venv

.PHONY: setup build doctor demo test test-python test-erlang test-aarch64 test-consumers check bench clean

# need(COMMAND:PACKAGE[+PACKAGE] ...): the commands that are not there come from apt, where it is there and may.
define need
@missing=; for pair in $(1); do \
    command -v "$${pair%%:*}" >/dev/null || missing="$$missing $$(echo "$${pair#*:}" | tr + ' ')"; \
done; \
[ -z "$$missing" ] && exit 0; \
if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
if command -v apt-get >/dev/null && command -v "$${sudo:-env}" >/dev/null; then \
    echo "installing$$missing" && $$sudo apt-get update -q >/dev/null && \
    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing >/dev/null; \
else \
    echo "These are missing and cannot be installed from here:$$missing. Install them as root by apt-get (Debian," \
         "Ubuntu), by 'brew install erlang rebar3 python' (macOS), or say nix-shell (Nix); then make again." >&2; exit 1; \
fi
endef

NO_VENV := $(shell $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || test -x $(VENV)/bin/python3 || echo no-venv)

setup:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "Python 3.10 or later is needed: install it, or say make PYTHON=path-of-it" >&2; exit 1; }
	$(call need,erl:erlang-base $(if $(filter no,$(REBAR)),,$(REBAR):rebar3+erlang-proper) $(NO_VENV:=:python3-venv))
	@$(MAKE) -s $(VENV)/ready

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(VENV)/bin/python3 -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

build: setup
	@mkdir -p priv && ln -sfn ../$(VENV) priv/venv
ifeq ($(REBAR),no)
	sh erlang/compile.sh
else
	$(REBAR) compile
	$(REBAR) as drop_in compile
endif
	@$(VENV)/bin/python3 -m compileall -q priv/python

doctor: build
	@erl -noshell -pa _build/default/lib/*/ebin -s signal_port_doctor main

demo: build
	@escript examples/demo

test: test-python test-erlang

test-python: setup
	$(VENV)/bin/python3 -m pytest

test-erlang: build
	$(call need,cc:gcc+libc6-dev)
	$(REBAR) ct --readable=compact
	sh tests/without_rebar3.sh

test-aarch64: build
	@bash tests/aarch64.sh

test-consumers: build
	$(call need,elixir:elixir)
	sh tests/consumers.sh all

check: build
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(REBAR) as drop_in,check xref
	$(REBAR) as drop_in,check dialyzer
	$(call need,nix-instantiate:nix-bin)
	nix-instantiate --parse shell.nix >/dev/null

# NIF=folder of libsignal_protocol_nif's ebin, ERLPORT=folder of erlport: measured beside the port, where they are there.
# QUICK=1 takes under a minute and gives rough figures; ONLY=dr_ measures the operations that begin so.
BENCH := _build/bench
RESULT ?= $(BENCH)/result.json

bench: build
	@mkdir -p $(BENCH)
	erlc -o $(BENCH) bench/*.erl
	@if command -v cc >/dev/null; then cc -O2 -o $(BENCH)/echo bench/echo.c; fi
	@OUT=$(RESULT) ECHO=$$(ls $(BENCH)/echo 2>/dev/null) PYTHON=$(CURDIR)/$(VENV)/bin/python3 PROGRESS=$$(test -t 2 && echo yes) \
	    erl -noshell -pa _build/default/lib/*/ebin $(BENCH) -s signal_port_bench main
	@$(VENV)/bin/python3 bench/report.py $(RESULT) --pictures $(BENCH)

clean:
	rm -rf _build priv $(VENV)
