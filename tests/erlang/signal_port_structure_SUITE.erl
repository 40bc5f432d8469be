%% The structure of the application, as xref sees it: which module calls which, and what is called
%% outside of the application. Also the width of the sources.
-module(signal_port_structure_SUITE).
-compile([export_all, nowarn_export_all]).

%% Calls into applications other than erts, kernel and stdlib, each with its reason.
-define(FOREIGN_CALLS,
        [{signal_port_event, telemetry, "telemetry is optional: it is called if it is loaded"}]).

%% Modules that call a module known at run time only, each with its reason.
-define(DYNAMIC_CALLS,
        [{signal_port, "calls the NIF that the backend chose"},
         {signal_port_carrier, "calls that NIF for another node"},
         {signal_port_channel, "calls the module of the channel's kind"},
         {signal_port_child_vm, "calls the function that the parent VM named"},
         {signal_port_probe, "calls the NIFs that it tests, in a child VM only"}]).

-define(MAX_COLUMNS, 100).
-define(FOLDERS, ["erlang", "tests/erlang", "tests/soak", "tests/mutate", "tests/nifs",
                  "tests/telemetry", "tests/documents"]).
-define(SOURCES, "**/*.{erl,src,config,script,escript}").

all() ->
    [{group, modules}, {group, calls}, {group, fixtures}, {group, sources}].

groups() ->
    [{modules, [modules_call_each_other_in_no_circle, modules_use_types_in_no_circle]},
     {calls, [calls_stay_in_kernel_and_stdlib, exceptions_for_foreign_calls_are_all_needed,
              dynamic_calls_are_known]},
     {fixtures, [circle_of_two_is_found, circle_of_three_is_found, graph_without_circle_passes,
                 foreign_call_is_found, circle_of_compiled_modules_is_found]},
     {sources, [lines_have_at_most_100_columns]}].

init_per_suite(Config) ->
    [{edges, edges([ebin()])}, {calls, calls([ebin()])} | Config].

end_per_suite(_) ->
    ok.

%% --- Modules ---

modules_call_each_other_in_no_circle(Config) ->
    [_ | _] = Edges = proplists:get_value(edges, Config),
    [] = circles(Edges).

%% A remote type is as much knowledge of another module as a call.
modules_use_types_in_no_circle(Config) ->
    [_ | _] = Types = lists:append([types(Beam) || Beam <- beams(ebin())]),
    [] = circles(Types ++ proplists:get_value(edges, Config)).

%% --- Calls ---

calls_stay_in_kernel_and_stdlib(Config) ->
    [] = foreign(proplists:get_value(calls, Config)) -- exceptions().

exceptions_for_foreign_calls_are_all_needed(Config) ->
    [] = exceptions() -- foreign(proplists:get_value(calls, Config)).

exceptions() ->
    [{From, To} || {From, To, _Reason} <- ?FOREIGN_CALLS].

%% xref follows an apply whose module and function are atoms. It cannot follow any other.
dynamic_calls_are_known(_) ->
    Known = [Module || {Module, _Reason} <- ?DYNAMIC_CALLS],
    Known = lists:usort([Module || Beam <- beams(ebin()), {Module, Forms} <- [forms(Beam)],
                                   is_dynamic(Forms)]).

%% --- What the functions of this suite find ---

circle_of_two_is_found(_) ->
    [[a, b]] = circles([{a, b}, {b, a}, {b, c}]).

circle_of_three_is_found(_) ->
    [[a, b, c]] = circles([{a, b}, {b, c}, {c, a}, {d, a}]).

graph_without_circle_passes(_) ->
    [] = circles([{a, b}, {b, c}, {a, c}, {a, a}]).

foreign_call_is_found(_) ->
    [{a, ssl}] = foreign([{{a, f, 0}, {ssl, start, 0}}, {{a, f, 0}, {lists, sort, 1}},
                          {{a, f, 0}, {erlang, self, 0}}, {{a, f, 0}, {signal_port, init, 0}}]).

circle_of_compiled_modules_is_found(Config) ->
    Folder = filename:join(proplists:get_value(priv_dir, Config), "circle"),
    ok = filelib:ensure_path(Folder),
    [ok = compiled(Folder, Name, Other) || {Name, Other} <- [{a, b}, {b, a}, {c, a}]],
    [[a, b]] = circles(edges([Folder])).

compiled(Folder, Name, Other) ->
    Forms = [{attribute, 1, module, Name}, {attribute, 2, export, [{f, 0}]},
             {function, 3, f, 0,
              [{clause, 3, [], [], [{call, 3, {remote, 3, {atom, 3, Other}, {atom, 3, f}}, []}]}]}],
    {ok, Name, Beam} = compile:forms(Forms, [debug_info]),
    file:write_file(filename:join(Folder, atom_to_list(Name) ++ ".beam"), Beam).

%% --- Sources ---

lines_have_at_most_100_columns(_) ->
    [] = [{File, Number} || Name <- ?FOLDERS, Folder <- [signal_port_stage:root(Name)],
                            [_ | _] = Files <- [filelib:wildcard(?SOURCES, Folder)],
                            File <- Files, {Number, Line} <- lines(filename:join(Folder, File)),
                            string:length(Line) > ?MAX_COLUMNS].

lines(File) ->
    {ok, Text} = file:read_file(File),
    lists:enumerate(string:split(Text, "\n", all)).

%% --- Reading beams ---

ebin() ->
    filename:dirname(code:where_is_file("signal_port.app")).

beams(Folder) ->
    filelib:wildcard(filename:join(Folder, "*.beam")).

%% @doc Which module calls which, among those of these folders.
edges(Folders) ->
    with_xref(Folders, fun(Xref) -> query(Xref, "strict ME || AM") end).

%% @doc Which function calls which function of another module; '$M_EXPR' if xref cannot know.
calls(Folders) ->
    with_xref(Folders, fun(Xref) -> query(Xref, "XC") end).

with_xref(Folders, Fun) ->
    {ok, Xref} = xref:start([]),
    try
        ok = xref:set_default(Xref, [{warnings, false}, {verbose, false}]),
        [{ok, [_ | _]} = xref:add_directory(Xref, Folder) || Folder <- Folders],
        Fun(Xref)
    after
        xref:stop(Xref)
    end.

query(Xref, Query) ->
    {ok, Answer} = xref:q(Xref, Query),
    Answer.

forms(Beam) ->
    {ok, {Module, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(Beam, [abstract_code]),
    {Module, Forms}.

%% @doc Which module uses a type of which other module of the application.
types(Beam) ->
    {Module, Forms} = forms(Beam),
    [{Module, Other} || Other <- lists:usort(type_modules(Forms)), Other =/= Module,
                        lists:prefix("signal_port", atom_to_list(Other))].

type_modules({remote_type, _, [{atom, _, Module} | Rest]}) -> [Module | type_modules(Rest)];
type_modules(Form) when is_tuple(Form) -> type_modules(tuple_to_list(Form));
type_modules([First | Rest]) -> type_modules(First) ++ type_modules(Rest);
type_modules(_) -> [].

is_dynamic({call, _, {remote, _, Module, _}, _}) when element(1, Module) =/= atom -> true;
is_dynamic({call, _, {atom, _, apply}, [Module, _, _]}) when element(1, Module) =/= atom -> true;
is_dynamic(Form) when is_tuple(Form) -> is_dynamic(tuple_to_list(Form));
is_dynamic([First | Rest]) -> is_dynamic(First) orelse is_dynamic(Rest);
is_dynamic(_) -> false.

%% --- Pure functions of a graph ---

%% @doc The circles of a graph, each as the sorted list of its modules. A module can call itself.
circles(Edges) ->
    Graph = digraph:new(),
    [[digraph:add_vertex(Graph, Module) || Module <- [From, To]] || {From, To} <- Edges],
    [digraph:add_edge(Graph, From, To) || {From, To} <- Edges, From =/= To],
    Circles = [lists:sort(Circle) || Circle <- digraph_utils:cyclic_strong_components(Graph)],
    true = digraph:delete(Graph),
    lists:sort(Circles).

%% @doc Calls from a module into another application than erts, kernel and stdlib.
foreign(Calls) ->
    Own = own(),
    lists:usort([{From, To} || {{From, _, _}, {To, _, _}} <- Calls, To =/= '$M_EXPR',
                               not lists:member(To, Own)]).

own() ->
    _ = application:load(signal_port),
    erlang:pre_loaded() ++ lists:append([modules(App) || App <- [kernel, stdlib, signal_port]]).

modules(App) ->
    {ok, Modules} = application:get_key(App, modules),
    Modules.
