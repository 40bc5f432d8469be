%% The benchmark: the port beside the NIF, beside OTP's crypto, a C echo, erlport and Python alone,
%% in one run. `make bench' calls it. This module owns the plan and the file of the result.
%%
%% The result is one Erlang term in the external term format. convert.py makes JSON of it, report.py
%% shows it, compare.py compares two.
%%
%% Environment: OUT, the file; ECHO, the C program; PYTHON; NIF and ERLPORT, folders; SOCKET and
%% TLS, sockets of workers elsewhere; QUICK, for a run of about a minute; ONLY, a prefix of the
%% names of cases; PROGRESS, for a bar on the terminal.
-module(signal_port_bench).

-export([main/0]).

-define(FORMAT, 2).
-define(MIB, 1024 * 1024).
-define(LATENESS_CALLERS, 8).

%% Times in milliseconds, sizes in bytes.
-type plan() :: #{sizes := [non_neg_integer()], rounds := pos_integer(), slice := pos_integer(),
                  callers := [pos_integer()], callers_rounds := pos_integer(),
                  callers_slice := pos_integer(), batches := [pos_integer()],
                  lateness_slice := pos_integer(), starts := pos_integer()}.
-type section() :: one_caller | many_callers | batches | lateness.
-type step() :: {Label :: unicode:chardata(), section(), fun(() -> [map()])}.

-spec plan(Quick :: boolean()) -> plan().
plan(false) ->
    #{sizes => [0, 64, 4096, 65536, ?MIB, 16 * ?MIB], rounds => 5, slice => 25,
      callers => [1, 8, 32, 64, 128, 512], callers_rounds => 5, callers_slice => 50,
      batches => [1, 10, 100, 1000], lateness_slice => 1000, starts => 10};
plan(true) ->
    #{sizes => [64, 65536], rounds => 4, slice => 8,
      callers => [1, 32, 128], callers_rounds => 1, callers_slice => 40,
      batches => [100], lateness_slice => 300, starts => 4}.

%% @doc Measures, writes the result and ends the VM.
-spec main() -> no_return().
main() ->
    Begin = erlang:monotonic_time(second),
    Quick = os:getenv("QUICK", "") =/= "",
    #{starts := Starts} = Plan = plan(Quick),
    Engines = signal_port_bench_engines:start(paths()),
    Before = memory(),
    Measured = measure(steps(Plan, Engines)),
    After = memory(),
    #{versions := Versions, workers := Workers} = signal_port:info(),
    Result = Measured#{
        format => ?FORMAT, quick => Quick, date => now_utc(), commit => commit(),
        machine => machine(), versions => versions(Versions, Engines), workers => length(Workers),
        memory => #{before => Before, 'after' => After},
        start => signal_port_bench_measure:first_answer(Starts),
        seconds => erlang:monotonic_time(second) - Begin
    },
    ok = file:write_file(os:getenv("OUT"), term_to_binary(Result)),
    halt().

paths() ->
    Names = [{echo, "ECHO"}, {python, "PYTHON"}, {nif, "NIF"}, {erlport, "ERLPORT"},
             {socket, "SOCKET"}, {tls, "TLS"}],
    maps:from_list([{Key, Value} || {Key, Name} <- Names, Value <- [os:getenv(Name, "")],
                                    Value =/= ""]).

memory() ->
    #{vm_mib => signal_port_bench_measure:vm_mib(),
      workers_mib => signal_port_bench_measure:workers_mib()}.

%% --- The steps ---

-spec measure([step()]) -> #{section() => [map()]}.
measure(Steps) ->
    Empty = #{one_caller => [], many_callers => [], batches => [], lateness => []},
    Sections = lists:foldl(fun({Index, {Label, Section, Measure}}, Sections) ->
        show_progress(Index, length(Steps), Label),
        maps:update_with(Section, fun(Cells) -> Cells ++ Measure() end, Sections)
    end, Empty, lists:enumerate(Steps)),
    clear_progress(),
    Sections.

-spec steps(plan(), signal_port_bench_engines:engines()) -> [step()].
steps(#{sizes := Sizes} = Plan, Engines) ->
    All = signal_port_bench_cases:all(Sizes),
    Prefix = os:getenv("ONLY", ""),
    Cases = [Case || #{name := Name} = Case <- All, string:prefix(Name, Prefix) =/= nomatch],
    Shared = [Case || #{size := Size, fresh := false} = Case <- Cases,
                      Size =:= null orelse Size =:= 64],
    Batched = [Case || #{name := Name} = Case <- Shared,
                       lists:member(Name, [<<"dr_encrypt">>, <<"sha256">>])],
    one_caller_steps(Plan, Cases, Engines) ++ many_callers_steps(Plan, Shared, Engines)
        ++ batch_steps(Plan, Batched) ++ lateness_steps(Plan, loads(All), Engines).

one_caller_steps(#{rounds := Rounds, slice := Slice}, Cases, Engines) ->
    [{Name, one_caller, fun() ->
        signal_port_bench_measure:one_caller(Case, Engines, Rounds, Slice)
    end} || #{name := Name} = Case <- Cases].

many_callers_steps(#{callers := Callers, callers_rounds := Rounds, callers_slice := Slice},
                   Cases, Engines) ->
    [{Name, many_callers, fun() ->
        signal_port_bench_measure:many_callers(Case, Engines, N, Rounds, Slice)
    end} || #{name := Name} = Case <- Cases, N <- Callers].

batch_steps(#{batches := Lengths, callers_rounds := Rounds, callers_slice := Slice}, Cases) ->
    [{Name, batches, fun() ->
        signal_port_bench_measure:batch(Case, Length, Rounds, Slice)
    end} || #{name := Name} = Case <- Cases, Length <- Lengths].

lateness_steps(#{rounds := Rounds, lateness_slice := Slice}, Loads, Engines) ->
    Idle = fun() -> signal_port_bench_measure:idle_lateness(Rounds, Slice) end,
    [{"timers", lateness, Idle} | [{"timers", lateness, fun() ->
        signal_port_bench_measure:lateness(Load, Engines, ?LATENESS_CALLERS, Rounds, Slice)
    end} || Load <- Loads]].

%% What the callers beside a timer call: much work in each call, and much data in each call.
loads(Cases) ->
    Large = (signal_port_bench_cases:find(<<"aes_gcm_encrypt">>, Cases))#{
        size := ?MIB, args := fun() -> [<<0:256>>, <<0:96>>, <<0:(8 * ?MIB)>>, <<>>, 16] end},
    [signal_port_bench_cases:find(<<"process_pre_key_bundle, known identity">>, Cases), Large].

%% --- What was measured on ---

machine() ->
    #{cpu => cpu(), cores => erlang:system_info(logical_processors_available),
      os => shell("uname -sr"),
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
    Changes = shell("git status --porcelain 2>/dev/null"),
    case shell("git rev-parse --short HEAD 2>/dev/null") of
        <<>> -> null;
        Commit when Changes =:= <<>> -> Commit;
        Commit -> <<Commit/binary, ", changed">>
    end.

shell(Command) ->
    unicode:characters_to_binary(string:trim(os:cmd(Command))).

%% --- The bar on the terminal ---

show_progress(Index, Total, Label) ->
    Filled = 40 * Index div Total,
    os:getenv("PROGRESS", "") =/= "" andalso
        io:format(standard_error, "\r[~s~s] ~3b % ~-40ts",
                  [lists:duplicate(Filled, $#), lists:duplicate(40 - Filled, $.),
                   100 * Index div Total, Label]).

clear_progress() ->
    os:getenv("PROGRESS", "") =/= "" andalso io:format(standard_error, "\r~90s\r", [""]).
