# The verbs of the project. Each sets up what it needs, and does nothing twice.
#
#   make demo    the main job, on this machine        make test    all tests
#   make build   everything compiled                  make check   linters and type checkers
#   make setup   system packages, virtual environment make doctor  what this machine can and cannot do
#
# REBAR=no     compile with erlc alone: rebar3 loads crypto, and dies where NIFs do
# PYTHON=path  the Python that the virtual environment is made of (3.10 or later)

PYTHON ?= python3
REBAR  ?= rebar3
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
VENV   := .venv

.PHONY: setup system build doctor demo test test-python test-erlang check clean

setup: system $(VENV)/ready

# What `command' finds is there; the rest comes from apt, where it may.
define MISSING
missing=; \
command -v erl >/dev/null || missing="$$missing erlang-base"; \
[ "$(REBAR)" = no ] || command -v $(REBAR) >/dev/null || missing="$$missing rebar3 erlang-proper"; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || [ -x $(VENV)/bin/python3 ] || missing="$$missing python3-venv";
endef

system:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "Python 3.10 or later is needed: install it, or say make PYTHON=path-of-it" >&2; exit 1; }
	@$(MISSING) [ -z "$$missing" ] || { \
	    command -v apt-get >/dev/null && { [ -z "$(SUDO)" ] || command -v $(SUDO) >/dev/null; } || { \
	        echo "Erlang/OTP 25 or later, rebar3 and Python's venv are needed, and cannot be installed from here:" \
	             "as root 'apt-get install$$missing' (Debian, Ubuntu)," \
	             "'brew install erlang rebar3 python' (macOS)," \
	             "'nix-shell -p erlang rebar3 python3' (Nix), then make again" >&2; exit 1; }; \
	    echo "installing$$missing"; \
	    $(SUDO) apt-get update -q >/dev/null && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing >/dev/null; }

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
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
	$(REBAR) ct --readable=compact

check: build
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(REBAR) xref
	$(REBAR) dialyzer

clean:
	rm -rf _build priv $(VENV)
