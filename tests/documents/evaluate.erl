%% The Erlang of the documents. Reads lines from run.py, each with a verb and a file: `run'
%% evaluates it as a shell does, `config' consults it, `gleam' compares its externals with the
%% specs. Prints `-- ok' or `-- failed' after each.
-module(evaluate).

-export([start/0]).

-spec start() -> pid().
start() ->
    spawn(fun() ->
        telemetry:start(),
        loop(erl_eval:new_bindings())
    end).

loop(Bindings) ->
    case io:get_line("") of
        Line when is_list(Line) ->
            [Verb, _Document, Number, Path] = string:split(string:trim(Line), "\t", all),
            loop(answered(list_to_atom(Verb), list_to_integer(Number), Path, Bindings));
        _ ->
            init:stop()
    end.

answered(Verb, Number, Path, Bindings) ->
    try perform(Verb, Number, Path, Bindings) of
        New ->
            io:format("~n-- ok~n"),
            New
    catch
        throw:{Format, Args} ->
            io:format(Format ++ "~n-- failed~n", Args),
            Bindings;
        Class:Reason:Trace ->
            io:format("~ts~n-- failed~n", [erl_error:format_exception(Class, Reason, Trace)]),
            Bindings
    end.

perform(run, Number, Path, Bindings) ->
    {ok, Text} = file:read_file(Path),
    Tokens = tokens(unicode:characters_to_list(Text), Number),
    Parsed = [parse(Sentence) || Sentence <- sentences(Tokens)],
    compile([Form || {form, Form} <- Parsed]),
    Expressions = lists:append([List || {expressions, List} <- Parsed]),
    lists:foldl(fun evaluate/2, Bindings, Expressions);
perform(config, _Number, Path, Bindings) ->
    {ok, [Environments]} = file:consult(Path),
    [{ok, _} = signal_port_config:check(Options) || {signal_port, Options} <- Environments],
    Bindings;
perform(gleam, _Number, Path, Bindings) ->
    gleam:check(Path),
    Bindings.

tokens(Text, Number) ->
    case erl_scan:string(Text, Number) of
        {ok, Tokens, _} -> Tokens;
        {error, Error, _} -> throw_error(Error)
    end.

%% What stands between full stops.
sentences([]) ->
    [];
sentences(Tokens) ->
    case lists:splitwith(fun(Token) -> element(1, Token) =/= dot end, Tokens) of
        {Sentence, [Dot | Rest]} -> [Sentence ++ [Dot] | sentences(Rest)];
        {[First | _], []} -> throw({"line ~p: no full stop", [line(First)]})
    end.

parse(Tokens) ->
    case {erl_parse:parse_form(Tokens), erl_parse:parse_exprs(Tokens)} of
        {{ok, Form}, _} -> {form, Form};
        {_, {ok, Expressions}} -> {expressions, Expressions};
        {_, {error, Error}} -> throw_error(Error)
    end.

throw_error({Line, Module, What}) ->
    throw({"line ~p: ~ts", [Line, Module:format_error(What)]}).

%% Functions without a module get one, in which a call without a module finds them.
compile([]) ->
    ok;
compile([{attribute, _, module, _} | _] = Forms) ->
    case compile:forms(Forms, [return]) of
        {ok, Module, Binary, []} -> {module, Module} = code:load_binary(Module, "document", Binary);
        {ok, _, _, Warnings} -> throw({"~p", [Warnings]});
        {error, Errors, _} -> throw({"~p", [Errors]})
    end;
compile(Functions) ->
    compile([{attribute, 1, module, document},
             {attribute, 1, compile, [export_all, nowarn_export_all]} | Functions]).

evaluate(Expression, Bindings) ->
    Line = line(Expression),
    is_term(Expression) andalso throw({"line ~p: a term does nothing; which file is it?", [Line]}),
    Local = {value, fun(Name, Args) -> apply(document, Name, Args) end},
    try erl_eval:expr(Expression, Bindings, Local) of
        {value, _, New} -> New
    catch
        Class:Reason ->
            throw({"line ~p: ~ts", [Line, erl_error:format_exception(Class, Reason, [])]})
    end.

is_term(Expression) ->
    try erl_parse:normalise(Expression) of
        _ -> true
    catch
        error:_ -> false
    end.

line(Anno) ->
    erl_anno:line(element(2, Anno)).
