#!/bin/sh
# REBAR=no: where rebar3 dies, as it does where NIFs crash, `make build' by erlc alone gives the same applications. Run in
# the repository's root after `make build'.
set -e
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git ls-files -z | xargs -0 tar -c | tar -x -C "$work"
ln -s "$root/.venv" "$work/.venv"
touch "$work/.venv/ready"
mkdir "$work/bin"
printf '#!/bin/sh\nkill -SEGV $$\n' > "$work/bin/rebar3"
chmod +x "$work/bin/rebar3"

PATH="$work/bin:$PATH" env -u MAKEFLAGS make -s -C "$work" REBAR=no build

for app in default/lib/signal_port drop_in/lib/signal_port drop_in/lib/libsignal_protocol_nif; do
    erl -noshell -eval '
        [Theirs, Ours] = init:get_plain_arguments(),
        Modules = fun(Ebin) ->
            %% Not their checksums: the log macros write the path of the source into the code.
            [begin {ok, Chunks} = beam_lib:chunks(Beam, [exports, imports, locals]), Chunks end
             || Beam <- filelib:wildcard(Ebin ++ "/*.beam")]
        end,
        App = fun(Ebin) ->
            [File] = filelib:wildcard(Ebin ++ "/*.app"),
            {ok, [{application, Name, Keys}]} = file:consult(File),
            {Name, lists:sort([{Key, case Key of modules -> lists:sort(Value); _ -> Value end} || {Key, Value} <- Keys])}
        end,
        [_ | _] = Modules(Ours),
        Expected = {App(Theirs), Modules(Theirs)},
        Expected = {App(Ours), Modules(Ours)},
        halt().' -extra "$root/_build/$app/ebin" "$work/_build/$app/ebin"
done

cd "$work"
erl -noshell -pa _build/drop_in/lib/*/ebin -eval '
    {ok, <<186, 120, 22, 191, _/binary>>} = signal_nif:sha256(<<"abc">>),
    ok = application:stop(signal_port),
    halt().'
echo "without rebar3: the same applications, and they answer"
