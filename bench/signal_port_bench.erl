%% The benchmark: port against NIF, and against what lies below and beside them, in one run. `make bench' calls it; the
%% result goes to a JSON file that report.py shows and compare.py compares.
%%
%% Environment: OUT, the file; ECHO, the C program; PYTHON; NIF and ERLPORT, folders; QUICK for a run under a minute;
%% ONLY for the cases that begin so; PROGRESS for a bar on the terminal.
-module(signal_port_bench).

-export([main/0]).

-define(MIB, 1024 * 1024).

-type plan() :: #{sizes := [non_neg_integer()], rounds := pos_integer(), slice := pos_integer(),
                  callers := [pos_integer()], callers_rounds := pos_integer(), callers_slice := pos_integer(),
                  batches := [pos_integer()], lateness_slice := pos_integer(), starts := pos_integer()}.

%% Times in milliseconds, sizes in bytes.
-spec plan(Quick :: boolean()) -> plan().
plan(false) ->
    #{sizes => [0, 64, 4096, 65536, ?MIB, 16 * ?MIB], rounds => 5, slice => 25,
      callers => [1, 8, 32, 64, 128, 512], callers_rounds => 5, callers_slice => 50,
      batches => [1, 10, 100, 1000], lateness_slice => 1000, starts => 10};
plan(true) ->
    #{sizes => [64, 65536], rounds => 4, slice => 8, callers => [1, 32, 128], callers_rounds => 1, callers_slice => 40,
      batches => [100], lateness_slice => 300, starts => 4}.

%% @doc Measures and writes the result.
-spec main() -> no_return().
main() ->
    Begin = erlang:monotonic_time(second),
    Quick = os:getenv("QUICK", "") =/= "",
    #{starts := Starts} = Plan = plan(Quick),
    Paths = maps:from_list([{Key, Value} || {Key, Name} <- [{echo, "ECHO"}, {python, "PYTHON"}, {nif, "NIF"},
                                                            {erlport, "ERLPORT"}],
                                            Value <- [os:getenv(Name, "")], Value =/= ""]),
    Engines = signal_port_bench_engines:start(Paths),
    {VmBefore, WorkersBefore} = {signal_port_bench_measure:vm_mib(), signal_port_bench_measure:workers_mib()},
    Steps = steps(Plan, Engines),
    Measured = lists:foldl(fun({Index, {Label, {Section, Measure}}}, Result) ->
        progress(Index, length(Steps), Label),
        maps:update_with(Section, fun(Entries) -> Entries ++ Measure() end, Result)
    end, #{one_caller => [], many_callers => [], batches => [], lateness => []}, lists:enumerate(Steps)),
    progress_end(),
    Memory = #{vm_mib => VmBefore, vm_after_mib => signal_port_bench_measure:vm_mib(),
               workers_mib => WorkersBefore, workers_after_mib => signal_port_bench_measure:workers_mib()},
    #{versions := Versions, workers := Workers} = signal_port:info(),
    Result = Measured#{
        format => 1, quick => Quick, date => now_utc(), commit => commit(), machine => machine(),
        versions => versions(Versions, Engines), workers => length(Workers), memory => Memory,
        start => signal_port_bench_measure:first_answer(Starts), seconds => erlang:monotonic_time(second) - Begin},
    ok = file:write_file(os:getenv("OUT"), [json(Result), "\n"]),
    halt().

steps(#{sizes := Sizes, rounds := Rounds, slice := Slice, callers := Callers, callers_rounds := CallersRounds,
        callers_slice := CallersSlice, batches := Lengths, lateness_slice := LatenessSlice}, Engines) ->
    All = signal_port_bench_cases:all(Sizes),
    Cases = [Case || #{name := Name} = Case <- All, string:prefix(Name, os:getenv("ONLY", "")) =/= nomatch],
    Shared = [Case || #{size := Size, fresh := false} = Case <- Cases, Size =:= null orelse Size =:= 64],
    Batched = [Case || #{name := Name} = Case <- Shared, lists:member(Name, [<<"dr_encrypt">>, <<"sha256">>])],
    Loads = [signal_port_bench_cases:find(<<"process_pre_key_bundle, known identity">>, All),
             (signal_port_bench_cases:find(<<"aes_gcm_encrypt">>, All))#{
                 size := ?MIB, args := fun() -> [<<0:256>>, <<0:96>>, <<0:(8 * ?MIB)>>, <<>>, 16] end}],
    lists:append([
        [{Name, {one_caller, fun() -> signal_port_bench_measure:one_caller(Case, Engines, Rounds, Slice) end}}
         || #{name := Name} = Case <- Cases],
        [{Name, {many_callers, fun() ->
            signal_port_bench_measure:many_callers(Case, Engines, N, CallersRounds, CallersSlice)
         end}} || #{name := Name} = Case <- Shared, N <- Callers],
        [{Name, {batches, fun() -> signal_port_bench_measure:batch(Case, Length, CallersRounds, CallersSlice) end}}
         || #{name := Name} = Case <- Batched, Length <- Lengths],
        [{"timers", {lateness, fun() -> signal_port_bench_measure:idle_lateness(Rounds, LatenessSlice) end}}
         | [{"timers", {lateness, fun() ->
                signal_port_bench_measure:lateness(Load, Engines, 8, Rounds, LatenessSlice)
            end}} || Load <- Loads]]
    ]).

%% --- What was measured on ---

machine() ->
    #{cpu => cpu(), cores => erlang:system_info(logical_processors_available), os => shell("uname -sr"),
      architecture => list_to_binary(erlang:system_info(system_architecture))}.

cpu() ->
    case shell("sed -n 's/^model name.*: //p' /proc/cpuinfo 2>/dev/null | head -1") of
        <<>> -> shell("sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m");
        Name -> Name
    end.

versions(Versions, Engines) ->
    Versions#{otp => list_to_binary(erlang:system_info(otp_release)),
              erts => list_to_binary(erlang:system_info(version)),
              nif => version(nif, libsignal_protocol_nif, Engines),
              erlport => version(erlport, erlport, Engines)}.

version(Engine, Application, Engines) when is_map_key(Engine, Engines) ->
    _ = application:load(Application),
    case application:get_key(Application, vsn) of
        {ok, Version} -> list_to_binary(Version);
        undefined -> <<"unknown">>
    end;
version(_, _, _) ->
    null.

now_utc() ->
    list_to_binary(calendar:system_time_to_rfc3339(erlang:system_time(second), [{offset, "Z"}])).

commit() ->
    case {shell("git rev-parse --short HEAD 2>/dev/null"), shell("git status --porcelain 2>/dev/null")} of
        {<<>>, _} -> null;
        {Commit, <<>>} -> Commit;
        {Commit, _} -> <<Commit/binary, ", changed">>
    end.

shell(Command) ->
    unicode:characters_to_binary(string:trim(os:cmd(Command))).

%% --- Output ---

progress(Index, Total, Label) ->
    case os:getenv("PROGRESS", "") of
        "" ->
            ok;
        _ ->
            Filled = 40 * Index div Total,
            io:format(standard_error, "\r[~s~s] ~3b % ~-40ts", [lists:duplicate(Filled, $#),
                      lists:duplicate(40 - Filled, $.), 100 * Index div Total, Label])
    end.

progress_end() ->
    os:getenv("PROGRESS", "") =/= "" andalso io:format(standard_error, "\r~90s\r", [""]).

json(null) -> "null";
json(Boolean) when is_boolean(Boolean) -> atom_to_list(Boolean);
json(Atom) when is_atom(Atom) -> json(atom_to_binary(Atom));
json(Integer) when is_integer(Integer) -> integer_to_list(Integer);
json(Float) when is_float(Float) -> float_to_list(Float, [{decimals, 3}, compact]);
json(Text) when is_binary(Text) ->
    [$", [case Char of $" -> "\\\""; $\\ -> "\\\\"; _ when Char < 32 -> " "; _ -> <<Char/utf8>> end
          || <<Char/utf8>> <= Text], $"];
json(List) when is_list(List) -> [$[, lists:join(", ", [json(Value) || Value <- List]), $]];
json(Map) when is_map(Map) ->
    [${, lists:join(",\n", [[json(Key), ": ", json(Value)] || {Key, Value} <- lists:sort(maps:to_list(Map))]), $}].
