%% The documentation chunk that the build makes, as h(signal_port) shows it.
-module(signal_port_doc_SUITE).
-compile([export_all, nowarn_export_all]).

-include_lib("kernel/include/eep48.hrl").

all() ->
    [{group, shell}].

groups() ->
    [{shell, [module_is_documented, every_function_is_documented, every_type_is_documented,
              lists_and_links_are_rendered, other_modules_are_hidden]}].

%% Beams that are compiled for coverage have no documentation, so the built ones are loaded.
init_per_suite(Config) ->
    [{module, Module} = c:l(Module) || Module <- [signal_port, signal_port_pool]],
    Config.

end_per_suite(_) ->
    ok.

module_is_documented(_) ->
    #docs_v1{module_doc = #{<<"en">> := [_ | _]}} = docs(),
    has("without a NIF", shell_docs:render(signal_port, docs(), plain())).

every_function_is_documented(_) ->
    Exports = signal_port:module_info(exports) -- [{module_info, 0}, {module_info, 1}],
    [has("-spec " ++ atom_to_list(Name) ++ "(",
         documented(function, Name, Arity, fun shell_docs:render/5))
     || {Name, Arity} <- Exports].

every_type_is_documented(_) ->
    Beam = code:where_is_file("signal_port.beam"),
    {ok, {_, [{abstract_code, {raw_abstract_v1, Forms}}]}} = beam_lib:chunks(Beam, [abstract_code]),
    [_ | _] = Types = lists:append([Exported || {attribute, _, export_type, Exported} <- Forms]),
    [has(atom_to_list(Name) ++ "()", documented(type, Name, Arity, fun shell_docs:render_type/5))
     || {Name, Arity} <- Types].

lists_and_links_are_rendered(_) ->
    Rendered = unicode:characters_to_list(shell_docs:render(signal_port, docs(), plain())),
    %% The bullets depend on the OTP release.
    {match, _} = re:run(Rendered, "[*\x{2022}] It returns .?{ok, Value}.? or .?{error, Atom}",
                        [unicode]),
    has("the short name of dr_encrypt/2",
        shell_docs:render(signal_port, encrypt, 2, docs(), plain())).

other_modules_are_hidden(_) ->
    {ok, #docs_v1{module_doc = hidden}} = code:get_doc(signal_port_pool).

%% --- Internals ---

docs() ->
    {ok, Docs} = code:get_doc(signal_port),
    Docs.

plain() ->
    #{ansi => false, columns => 500}.

%% A spec or a definition is not enough: there must be a text.
documented(Kind, Name, Arity, Render) ->
    [Words] = [Words || {{K, N, A}, _, _, #{<<"en">> := Words}, _} <- (docs())#docs_v1.docs,
                        {K, N, A} =:= {Kind, Name, Arity}],
    {Name, Arity, [_ | _]} = {Name, Arity, Words},
    Render(signal_port, Name, Arity, docs(), plain()).

has(Words, Rendered) ->
    {Words, true} = {Words, string:find(Rendered, Words) =/= nomatch}.
