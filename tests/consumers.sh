#!/bin/sh
# Uses this repository as those who depend on it do: fresh projects in a temporary folder, with the last commit as a git
# dependency, in place of the NIF. What is not committed is not tested. `install' and `wheel' take packages from the
# network.
#
#   tests/consumers.sh rebar3    a rebar3 project with the drop-in, an old rebar.lock in the way; one with signal_port itself
#   tests/consumers.sh mix       the same with mix, and a release of mix
#   tests/consumers.sh release   a rebar3 release in embedded mode: started, called, stopped
#   tests/consumers.sh front     a release that has the NIF, one that ends the VM: the drop-in's modules go before it
#   tests/consumers.sh wheel     the Python package alone, in a virtual environment; what it needs and mypy come by pip
#   tests/consumers.sh umbrella  two applications of one rebar3 project, one of which calls the other
#   tests/consumers.sh child_spec   the pool under a supervisor of the consumer's
#   tests/consumers.sh install   priv/install in a rebar3 project, and in a release that was moved; no option python
#   tests/consumers.sh package   the files that a package has, and no others
#   tests/consumers.sh all
#
# PYTHON=path  the Python of the workers; else the repository's own virtual environment, which `make setup' makes
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python3}
fail() { echo "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is needed: apt-get install $2"; }

# --- What the projects have in common ---

# application NAME FOLDER: config/sys.config and src/, an application that needs the application NAME
application() {
    mkdir -p "$2/src" "$2/config"
    cat > "$2/config/sys.config" <<END
[{signal_port, [{python, "$python"}, {pool_size, 2}]}].
END
    cat > "$2/src/consumer.app.src" <<END
{application, consumer, [
    {description, "It called the NIF"},
    {vsn, "1.0.0"},
    {applications, [kernel, stdlib, $1]}
]}.
END
    consumer > "$2/src/consumer.erl"
}

# The code that called the NIF, with known answers: of FIPS 180, RFC 4231, NIST's AES-GCM, and a conversation of the NIF's.
consumer() {
    cat <<'END'
-module(consumer).
-export([check/0, check/2, check_and_halt/0]).

check_and_halt() ->
    ok = check(),
    halt(0).

check() ->
    check(libsignal_protocol_nif, signal_nif).

check(Protocol, Primitives) ->
    {ok, Digest} = Primitives:sha256(<<"abc">>),
    Digest = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    {ok, Mac} = Primitives:hmac_sha256(<<"Jefe">>, <<"what do ya want for nothing?">>),
    Mac = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    {ok, <<>>, Tag} = Primitives:aes_gcm_encrypt(<<0:256>>, <<0:96>>, <<>>, <<>>, 16),
    Tag = hex("530f8afbc74536b9a963b4f1c4cb738b"),
    Alice = hex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
    Bob = hex("8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"),
    Wire = hex("330a50481db0c8a72b2c62bd46a8ba9c753f5b8defb878322a3c689fea34de97a2d3703ad2f315a68b7fcbe1203e072bbc61"
               "e79725770d6d935d3f80acbed651d388fb1a39a525888b443aa1b99839be93243712103451a4726d4227cd841655bc8c8932"
               "d64bc0c3b4da5cfe43"),
    Secret = list_to_binary(lists:seq(0, 95)),
    BobSecret = <<(binary:copy(<<2>>, 32))/binary, Bob/binary>>,
    {ok, Session} = Protocol:dr_init(Secret, Bob, Alice, BobSecret, 0),
    {ok, {<<"signal_port">>, Next}} = Protocol:dr_decrypt(Session, Wire),
    {ok, {_, _}} = Protocol:dr_encrypt(Next, <<"answer">>),
    {error, bad_mac} = Protocol:dr_decrypt(Next, Wire),
    {error, invalid_session_size} = Protocol:dr_encrypt(<<>>, <<>>),
    #{backend := port} = signal_port:info(),
    ok.

hex(Digits) ->
    binary:decode_hex(list_to_binary(Digits)).
END
}

# What rebar.config has in place of the NIF
drop_in_for_rebar3() {
    echo "{deps, [{libsignal_protocol_nif, {git_subdir, \"$url\", {branch, \"main\"}, \"erlang/drop_in\"}}]}."
}

# loud COMMAND ...: its output only where it fails
loud() {
    "$@" > "$tmp/output" 2>&1 < /dev/null || { cat "$tmp/output" >&2; fail "failed: $*"; }
}

# --- The verbs ---

run_rebar3() {
    need rebar3 rebar3
    application libsignal_protocol_nif "$tmp/rebar3"
    cd "$tmp/rebar3"
    drop_in_for_rebar3 > rebar.config
    cat > rebar.lock <<'END'
{"1.2.0",
[{<<"libsignal_protocol_nif">>,{pkg,<<"libsignal_protocol_nif">>,<<"0.3.0">>},0}]}.
END
    mkdir test
    cat > test/consumer_tests.erl <<'END'
-module(consumer_tests).
-include_lib("eunit/include/eunit.hrl").
check_test() -> ok = consumer:check().
END
    loud rebar3 unlock libsignal_protocol_nif
    loud rebar3 compile
    grep -q git_subdir rebar.lock || fail "the old rebar.lock is still in force"
    loud rebar3 eunit --sys_config config/sys.config
    grep -q '1 tests, 0 failures' "$tmp/output" || fail "rebar3 eunit did not run the one test: $(cat "$tmp/output")"

    application signal_port "$tmp/rebar3_direct"
    cd "$tmp/rebar3_direct"
    echo "{deps, [{signal_port, {git, \"$url\", {branch, \"main\"}}}]}." > rebar.config
    loud rebar3 compile
    loud erl -noinput -pa _build/default/lib/*/ebin -config config/sys -eval '
        {ok, _} = application:ensure_all_started(consumer),
        ok = consumer:check(signal_port, signal_port),
        false = code:is_loaded(crypto),
        init:stop().'
}

# mix_project NAME DEPENDENCY FOLDER
mix_project() {
    application "$1" "$3"
    rm "$3/src/consumer.app.src" "$3/config/sys.config"
    cat > "$3/mix.exs" <<END
defmodule Consumer.MixProject do
  use Mix.Project

  def project, do: [app: :consumer, version: "1.0.0", deps: deps()]

  def application, do: []

  defp deps do
    [$2]
  end
end
END
    cat > "$3/config/config.exs" <<END
import Config

config :signal_port, python: "$python", pool_size: 2
END
}

run_mix() {
    need mix elixir
    need rebar3 rebar3
    MIX_REBAR3=$(command -v rebar3) MIX_HOME=$tmp/mix_home
    export MIX_REBAR3 MIX_HOME
    mix_project libsignal_protocol_nif "{:libsignal_protocol_nif,
       git: \"$url\", branch: \"main\", subdir: \"erlang/drop_in/libsignal_protocol_nif\", override: true}" "$tmp/mix"
    cd "$tmp/mix"
    loud mix deps.get
    loud mix run -e ':ok = :consumer.check()'
    loud env MIX_ENV=prod mix release
    loud env RELEASE_DISTRIBUTION=none _build/prod/rel/consumer/bin/consumer eval '
        {:ok, _} = Application.ensure_all_started(:consumer)
        :ok = :consumer.check()
        false = :code.is_loaded(:crypto)'

    mix_project signal_port "{:signal_port, git: \"$url\", branch: \"main\", manager: :rebar3}" "$tmp/mix_direct"
    cd "$tmp/mix_direct"
    loud mix deps.get
    loud mix run -e ':ok = :consumer.check(:signal_port, :signal_port)'
}

run_release() {
    need rebar3 rebar3
    application libsignal_protocol_nif "$tmp/release"
    cd "$tmp/release"
    drop_in_for_rebar3 > rebar.config
    cat >> rebar.config <<'END'
{relx, [
    {release, {consumer, "1.0.0"}, [consumer]},
    {mode, prod},
    {sys_config, "config/sys.config"},
    {vm_args, "config/vm.args"}
]}.
END
    printf '%s\n' "-sname consumer_$$@localhost" "-setcookie consumer_$$" "-start_epmd false" > config/vm.args
    loud rebar3 release
    [ -z "$(find _build/default/rel/consumer/lib -name 'crypto*')" ] || fail "crypto is in the release"

    # An epmd of its own, which does not outlive the test.
    ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((20000 + $$ % 10000))
    export ERL_EPMD_ADDRESS ERL_EPMD_PORT
    bin=$(echo _build/default/rel/consumer/erts-*/bin)
    "$bin/epmd" > "$tmp/epmd.log" 2>&1 &
    epmd=$!
    for _ in $(seq 50); do
        "$bin/epmd" -names > /dev/null 2>&1 && break
        sleep 0.1
    done
    consumer=_build/default/rel/consumer/bin/consumer
    "$consumer" foreground > "$tmp/node.log" 2>&1 < /dev/null &
    node=$!
    for _ in $(seq 100); do
        "$consumer" ping > /dev/null 2>&1 && break
        kill -0 "$node" 2> /dev/null || { cat "$tmp/node.log" >&2; fail "the release does not start"; }
        sleep 0.2
    done
    answer '{code:get_mode(), consumer:check(), code:is_loaded(crypto)}.' '{embedded,ok,false}'
    workers=$("$consumer" eval '[OsPid || #{os_pid := OsPid} <- maps:get(workers, signal_port:info())].' | tr -sc 0-9 ' ')
    [ "$(echo "$workers" | wc -w)" = 2 ] || fail "two workers were to run, and these do: $workers"
    loud "$consumer" stop
    wait "$node" || fail "the release ended with status $?: $(cat "$tmp/node.log")"
    node=
    for worker in $workers; do
        ! kill -0 "$worker" 2> /dev/null || fail "worker $worker outlived the release"
    done
}

# In embedded mode every module is loaded, and every on_load runs, before anything of ours can.
run_front() {
    need rebar3 rebar3
    front=$root/_build/drop_in/lib/libsignal_protocol_nif/ebin
    [ -d "$front" ] || fail "there is no $front: 'make build' first"
    application signal_port "$tmp/front"
    cd "$tmp/front"
    sed 's/stdlib, signal_port/stdlib, libsignal_protocol_nif, signal_port/' src/consumer.app.src > app
    mkdir -p apps/consumer apps/libsignal_protocol_nif/src
    mv src apps/consumer/src
    mv app apps/consumer/src/consumer.app.src
    cd apps/libsignal_protocol_nif/src
    echo '{application, libsignal_protocol_nif, [{vsn, "0.3.0"}, {applications, [kernel, stdlib]}]}.' \
        > libsignal_protocol_nif.app.src
    for module in libsignal_protocol_nif signal_nif; do
        printf '%s\n' "-module($module)." "-on_load(crash/0)." "-export([crash/0])." "crash() -> erlang:halt(139)." > $module.erl
    done
    cd "$tmp/front"
    cat > rebar.config <<END
{deps, [{signal_port, {git, "$url", {branch, "main"}}}]}.
{relx, [{release, {consumer, "1.0.0"}, [consumer]}, {mode, prod}, {sys_config, "config/sys.config"},
        {vm_args, "config/vm.args"}]}.
END
    : > config/vm.args
    loud rebar3 release
    boot -s consumer check_and_halt > "$tmp/node.log" 2>&1 && fail "the NIF was to end the VM"
    loud boot -pa "$front" -s consumer check_and_halt
}

run_wheel() {
    git clone -q "$tmp/repository" "$tmp/wheel_source"
    loud "$python" -m pip wheel --no-deps -w "$tmp/wheel" "$tmp/wheel_source"
    loud "$python" -m venv "$tmp/wheel_venv"
    bin=$tmp/wheel_venv/bin
    loud "$bin/pip" install "$tmp"/wheel/signal_port-*.whl mypy
    mkdir "$tmp/wheel_consumer"
    cd "$tmp/wheel_consumer"
    python_consumer > consumer.py
    for command in version doctor selftest; do
        loud "$bin/signal-port" "$command"
    done
    loud "$bin/python3" consumer.py session
    loud "$bin/signal-port" inspect-session session
    grep -q '^skipped message keys  *1 of 96$' "$tmp/output" || fail "inspect-session told: $(cat "$tmp/output")"
    loud "$bin/mypy" --strict consumer.py
    ! "$bin/mypy" -c 'from signal_port import x3dh; x3dh.generate_pre_key("1")' > /dev/null 2>&1 ||
        fail "mypy does not see the types of the package"
}

# What somebody writes who has the package alone; it leaves a session in the file that it is told.
python_consumer() {
    cat <<'END'
import sys
from pathlib import Path

from signal_port import double_ratchet, primitives, x3dh
from signal_port.errors import SignalError


def refusal(session: bytes, wire: bytes) -> str:
    try:
        double_ratchet.decrypt(session, wire)
    except SignalError as error:
        return error.atom
    return "none"


alice_identity, alice_secret = primitives.generate_ed25519_keypair()
bob_identity, bob_secret = primitives.generate_ed25519_keypair()
_, signed, signed_private, signature = x3dh.generate_signed_pre_key(bob_secret, 1)
secret, ephemeral = x3dh.initiate(alice_secret, bob_identity + signed + signature)
alice = double_ratchet.init(secret, alice_identity, bob_identity, alice_secret, 1)
assert secret == x3dh.respond(bob_secret, signed_private, b"", alice_identity, ephemeral)
bob = double_ratchet.init(secret, bob_identity, alice_identity, bob_secret, 0)

wires = []
for text in (b"first", b"late", b"third"):
    wire, alice = double_ratchet.encrypt(alice, text)
    wires.append(wire)
for wire, text in ((wires[0], b"first"), (wires[2], b"third")):
    plaintext, bob = double_ratchet.decrypt(bob, wire)
    assert plaintext == text
assert refusal(bob, wires[0]) == "bad_mac"
Path(sys.argv[1]).write_bytes(bob)
END
}

# depend_on_signal_port: what rebar.config says
depend_on_signal_port() {
    echo "{deps, [{signal_port, {git, \"$url\", {branch, \"main\"}}}]}."
}

# in_vm EXPRESSIONS FLAG ...: a VM with what rebar3 has compiled; the expressions say that they went well by going on
in_vm() {
    expressions=$1
    shift
    loud erl -noinput -pa _build/default/lib/*/ebin "$@" -eval "$expressions, init:stop()."
}

run_umbrella() {
    need rebar3 rebar3
    application signal_port "$tmp/umbrella"
    cd "$tmp/umbrella"
    depend_on_signal_port > rebar.config
    mkdir -p apps/consumer apps/caller/src
    mv src apps/consumer
    cat > apps/caller/src/caller.app.src <<'END'
{application, caller, [
    {description, "It calls another"},
    {vsn, "1.0.0"},
    {applications, [kernel, stdlib, consumer]}
]}.
END
    cat > apps/caller/src/caller.erl <<'END'
-module(caller).
-export([check/0]).
check() -> consumer:check(signal_port, signal_port).
END
    loud rebar3 compile
    in_vm '{ok, [_ | _]} = application:ensure_all_started(caller), ok = caller:check()' -config config/sys
}

run_child_spec() {
    need rebar3 rebar3
    application signal_port "$tmp/child_spec"
    cd "$tmp/child_spec"
    depend_on_signal_port > rebar.config
    cat > src/consumer.app.src <<'END'
{application, consumer, [
    {description, "It has the pool under a supervisor of its own"},
    {vsn, "1.0.0"},
    {mod, {consumer_app, []}},
    {applications, [kernel, stdlib]},
    {included_applications, [signal_port]}
]}.
END
    cat > src/consumer_app.erl <<END
-module(consumer_app).
-behaviour(application).
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).

start(_, _) -> supervisor:start_link(?MODULE, []).
stop(_) -> ok.
init([]) -> {ok, {#{}, [signal_port:child_spec([{python, "$python"}, {pool_size, 1}])]}}.
END
    loud rebar3 compile
    in_vm '{ok, _} = application:ensure_all_started(consumer),
        false = lists:keymember(signal_port, 1, application:which_applications()),
        #{workers := [#{os_pid := _}]} = signal_port:info(),
        ok = consumer:check(signal_port, signal_port),
        ok = application:stop(consumer),
        undefined = whereis(signal_port_pool)'
}

# refused SENTENCE VARIABLE=VALUE ...: how the installer ends then. It leaves nothing that looks like an environment.
refused() {
    sentence=$1
    shift
    ! env "$@" sh "$install" > "$tmp/output" 2>&1 || fail "it was not refused: $*"
    tail -n 1 "$tmp/output" | grep -q "^signal_port: .*$sentence" ||
        { cat "$tmp/output" >&2; fail "it did not say '$sentence': $*"; }
    [ ! -e "${install%/*}/venv" ] || fail "it left a virtual environment: $*"
}

# Whoever asks for python3 by its name here gets one that is of no use.
run_install() {
    need rebar3 rebar3
    application signal_port "$tmp/install"
    cd "$tmp/install"
    depend_on_signal_port > rebar.config
    echo '{relx, [{release, {consumer, "1.0.0"}, [consumer]}, {mode, prod}]}.' >> rebar.config
    mkdir bin
    printf '#!/bin/sh\nexit 1\n' > bin/python3
    chmod +x bin/python3
    checked='{ok, _} = application:ensure_all_started(consumer), ok = consumer:check(signal_port, signal_port)'
    loud rebar3 compile
    PATH=$PWD/bin:$PATH in_vm '{error, {signal_port, _}} = application:ensure_all_started(signal_port)'
    install=_build/default/lib/signal_port/priv/install
    printf '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec "%s" "$@"\n' "$python" > bin/no_venv
    chmod +x bin/no_venv
    refused 'there is no no-python' PYTHON=no-python
    refused 'apt-get install python3-venv' PYTHON="$PWD/bin/no_venv"
    refused 'is there a network' PYTHON="$python" PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS=
    loud env PYTHON="$python" sh "$install"
    PATH=$PWD/bin:$PATH in_vm "$checked"
    loud env PYTHON="$python" PIP_NO_INDEX=1 PIP_FIND_LINKS= sh "$install"  # all is there: pip is not asked

    loud rebar3 release
    mv _build/default/rel/consumer "$tmp/moved"
    mv _build _built  # nothing of what was moved may lean on where it was
    mkdir -p _build/default/rel
    mv "$tmp/moved" _build/default/rel/consumer
    PATH=$PWD/bin:$PATH loud boot -eval "$checked, init:stop()."
    priv=$(echo _build/default/rel/consumer/lib/signal_port-*/priv)
    rm "$priv"/venv/bin/python3
    loud env PYTHON="$python" sh "$priv/install"
    PATH=$PWD/bin:$PATH loud boot -eval "$checked, init:stop()."
}

# The plugin that makes packages for hex takes the .app.src's `files' and adds, whatever they are, an .app.src in src.
run_package() {
    need rebar3 rebar3
    application signal_port "$tmp/package"
    git clone -q "$url" "$tmp/package/signal_port"
    cd "$tmp/package/signal_port"
    mkdir -p ../_checkouts/signal_port/src
    cp erlang/signal_port.app.src ../_checkouts/signal_port/src
    erl -noinput -eval '
        {ok, [{application, signal_port, Keys}]} = file:consult("erlang/signal_port.app.src"),
        [begin [_ | _] = Files = filelib:wildcard(Named), [io:format("~ts~n", [File]) || File <- Files] end
         || Named <- proplists:get_value(files, Keys)],
        halt().' > "$tmp/files" || fail "the .app.src names files that are not there"
    tar -c -T "$tmp/files" | tar -x -C ../_checkouts/signal_port
    cd "$tmp/package"
    rm -rf signal_port
    echo '{deps, [signal_port]}.' > rebar.config
    loud rebar3 compile
    loud erl -noinput -pa _build/default/lib/*/ebin _build/default/checkouts/*/ebin -config config/sys -eval '
        {ok, _} = application:ensure_all_started(consumer), ok = consumer:check(signal_port, signal_port), init:stop().'
}

# boot FLAG ...: the VM of the release itself; its script starts others before, which would take these flags too
boot() {
    rel=$PWD/_build/default/rel/consumer
    ROOTDIR=$rel BINDIR=$(echo "$rel"/erts-*/bin) EMU=beam PROGNAME=erl "$rel"/erts-*/bin/erlexec -noinput -mode embedded \
        -boot "$rel/releases/1.0.0/start" -boot_var SYSTEM_LIB_DIR "$rel/lib" -config "$rel/releases/1.0.0/sys" "$@"
}

# answer EXPRESSION EXPECTED: what the running release says
answer() {
    said=$("$consumer" eval "$1" 2>&1 | tr -d ' \n')
    [ "$said" = "$2" ] || { cat "$tmp/node.log" >&2; fail "the release answered $said and not $2"; }
}

# --- From here on it is done ---

case ${1:-} in
    rebar3 | mix | release | front | umbrella | child_spec | install | package | wheel) verbs=$1 ;;
    all) verbs="rebar3 mix release front umbrella child_spec install package wheel" ;;
    *) fail "usage: tests/consumers.sh VERB, one of those at the head of this script" ;;
esac
need git git
need erl erlang-base
[ -x "$python" ] || fail "there is no $python: 'make setup' first, or say PYTHON=path"

node= epmd=
tmp=$(mktemp -d)
trap 'for pid in $node $epmd; do kill "$pid" 2> /dev/null || :; done; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# A repository that has the last commit as its branch main, however this one was checked out.
git clone -q --bare "$root" "$tmp/repository"
git -C "$tmp/repository" update-ref refs/heads/main "$(git -C "$root" rev-parse HEAD)"
git -C "$tmp/repository" symbolic-ref HEAD refs/heads/main
url=file://$tmp/repository

# The settings and caches of whoever runs this are neither used nor touched.
REBAR_CACHE_DIR=$tmp/cache REBAR_GLOBAL_CONFIG_DIR=$tmp/settings
export REBAR_CACHE_DIR REBAR_GLOBAL_CONFIG_DIR

for verb in $verbs; do
    "run_$verb"
    echo "$verb: ok"
done
