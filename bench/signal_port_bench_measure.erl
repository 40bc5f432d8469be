%% Ways to measure. Engines take turns in short slices, round after round, so that a machine that
%% drifts does so under all of them. Each round's own figure is kept: later it tells noise from
%% change. This module returns cells, one for each engine; it knows no file.
-module(signal_port_bench_measure).

-export([one_caller/4, many_callers/5, rate/6, batch/4, lateness/5, idle_lateness/2, first_answer/1,
         workers_mib/0, vm_mib/0]).

-type engines() :: signal_port_bench_engines:engines().
-type spec() :: signal_port_bench_cases:spec().
-type cell() :: #{atom() => term()}.

-define(MAX_CALLS, 3000).     % of one engine in one slice
-define(MAX_FRESH_CALLS, 20). % the same, if the arguments of each are made before it

%% @doc Returns the latency of a case for one caller, in microseconds, by each engine that has it.
-spec one_caller(spec(), engines(), Rounds :: pos_integer(), SliceMs :: pos_integer()) -> [cell()].
one_caller(#{operation := Operation, size := Size} = Case, Engines, Rounds, SliceMs) ->
    Plan = [{Name, Sampler, calls(Sampler, Case, SliceMs)}
            || Name <- signal_port_bench_engines:names(Engines),
               signal_port_bench_engines:can(Name, Operation, Engines),
               Name =/= echo_as_long orelse Size =/= null,
               Sampler <- [fun(Args, Count) ->
                   signal_port_bench_engines:in_place(
                       Name, Engines, {signal_port_bench_engines, sample}, [Operation, Args, Count])
               end]],
    Slices = [{Name, slice(Sampler, Case, Calls)}
              || _ <- lists:seq(1, Rounds), {Name, Sampler, Calls} <- Plan],
    [latency(Case, Name, proplists:get_all_values(Name, Slices)) || {Name, _, _} <- Plan].

calls(Sampler, #{fresh := Fresh} = Case, SliceMs) ->
    Typical = median(slice(Sampler, Case, 3)),
    Most = case Fresh of true -> ?MAX_FRESH_CALLS; false -> ?MAX_CALLS end,
    max(1, min(SliceMs * 1_000_000 div Typical, Most)).

slice(Sampler, #{fresh := false, args := Args}, Calls) ->
    Sampler(Args(), Calls);
slice(Sampler, #{fresh := true, args := Make}, Calls) ->
    lists:append([Sampler(Args, 1) || Args <- [Make() || _ <- lists:seq(1, Calls)]]).

latency(#{name := Name, size := Size}, Engine, Slices) ->
    Times = lists:sort(lists:append(Slices)),
    #{'case' => Name, size => Size, engine => Engine, calls => length(Times),
      min => us(hd(Times)), p50 => us(percentile(50, Times)), p95 => us(percentile(95, Times)),
      p99 => us(percentile(99, Times)), rounds => [us(median(Slice)) || Slice <- Slices]}.

%% @doc Returns the calls a second of a case with so many callers, by each engine they can share.
-spec many_callers(spec(), engines(), Callers :: pos_integer(), Rounds :: pos_integer(),
                   SliceMs :: pos_integer()) -> [cell()].
many_callers(#{name := Case, operation := Operation, size := Size, args := Args}, Engines, Callers,
             Rounds, SliceMs) ->
    Names = shared(Operation, Engines),
    Rates = [{Name, signal_port_bench_engines:in_place(
                        Name, Engines, {?MODULE, rate}, [Operation, Args(), Callers, SliceMs])}
             || _ <- lists:seq(1, Rounds), Name <- Names],
    [#{'case' => Case, size => Size, engine => Name, callers => Callers,
       rounds => proplists:get_all_values(Name, Rates)} || Name <- Names].

%% The engines that many callers can call at once.
shared(Operation, Engines) ->
    [Name || Name <- [port, nif, crypto, erlport, socket, tls, node], is_map_key(Name, Engines),
             signal_port_bench_engines:can(Name, Operation, Engines)].

call(Name, Engines, Operation, Args) ->
    fun() -> signal_port_bench_engines:call(Name, Engines, Operation, Args) end.

%% @doc Returns the calls a second of so many callers. They run for a fifth of the time before calls
%% are counted. Without its priority this process would be woken seconds late beside the NIF.
-spec rate(signal_port_bench_engines:name(), engines(), atom(), [term()], Callers :: pos_integer(),
           SliceMs :: pos_integer()) -> float().
rate(Name, Engines, Operation, Args, Callers, SliceMs) ->
    Call = call(Name, Engines, Operation, Args),
    Priority = process_flag(priority, high),
    Rate = under_load(Call, Callers, fun(Done) ->
        timer:sleep(SliceMs div 5),
        {Before, Begin} = {counters:get(Done, 1), now_us()},
        timer:sleep(SliceMs),
        (counters:get(Done, 1) - Before) * 1_000_000 / (now_us() - Begin)
    end),
    process_flag(priority, Priority),
    Rate.

%% What Measure returns while so many callers make calls.
under_load(Call, Callers, Measure) ->
    Done = counters:new(1, [write_concurrency]),
    Stop = atomics:new(1, []),
    Pids = [spawn_opt(fun() -> call_until(Stop, Done, Call) end, [monitor, {priority, normal}])
            || _ <- lists:seq(1, Callers)],
    Result = Measure(Done),
    atomics:put(Stop, 1, 1),  % each caller sees it after its call
    [receive {'DOWN', Monitor, process, Pid, normal} -> ok end || {Pid, Monitor} <- Pids],
    Result.

call_until(Stop, Done, Call) ->
    case atomics:get(Stop, 1) of
        0 -> Call(), counters:add(Done, 1, 1), call_until(Stop, Done, Call);
        1 -> ok
    end.

%% @doc Returns the operations a second of one caller that has so many to make: as a batch, as
%% requests that are all in flight, and one by one.
-spec batch(spec(), Length :: pos_integer(), Rounds :: pos_integer(), SliceMs :: pos_integer()) ->
    [cell()].
batch(#{name := Case, operation := Operation, size := Size, args := Make}, Length, Rounds,
      SliceMs) ->
    Calls = lists:duplicate(Length, {Operation, Make()}),
    Ways = [{port, fun() -> signal_port:batch(Calls) end},
            {'port, in flight', fun() -> in_flight(Calls) end},
            {'port, one by one', fun() ->
                [apply(signal_port, Op, Args) || {Op, Args} <- Calls]
            end}],
    Rates = [{Way, Length * repeated(Call, SliceMs)}
             || _ <- lists:seq(1, Rounds), {Way, Call} <- Ways],
    [#{'case' => Case, size => Size, engine => Way, length => Length,
       rounds => proplists:get_all_values(Way, Rates)} || {Way, _} <- Ways].

in_flight(Calls) ->
    Requests = [signal_port:send_request(Operation, Args) || {Operation, Args} <- Calls],
    [{reply, _} = signal_port:receive_response(Request) || Request <- Requests].

%% How often a second a call can be made, one after the other.
repeated(Call, SliceMs) ->
    Begin = now_us(),
    repeated(Call, 0, Begin, Begin + SliceMs * 1000).

repeated(Call, Done, Begin, End) ->
    Call(),
    case now_us() of
        Now when Now < End -> repeated(Call, Done + 1, Begin, End);
        Now -> (Done + 1) * 1_000_000 / (Now - Begin)
    end.

%% @doc Returns how late an unrelated timer of 1 ms is beside so many callers, in milliseconds, by
%% each engine that makes the calls. A round's figure is its p99.
-spec lateness(spec(), engines(), Callers :: pos_integer(), Rounds :: pos_integer(),
               SliceMs :: pos_integer()) -> [cell()].
lateness(#{operation := Operation, size := Size, args := Args}, Engines, Callers, Rounds,
         SliceMs) ->
    Names = shared(Operation, Engines),
    Slices = [{Name, under_load(call(Name, Engines, Operation, Args()), Callers,
                                fun(_) -> timers(SliceMs) end)}
              || _ <- lists:seq(1, Rounds), Name <- Names],
    [late(Operation, Size, Name, Callers, proplists:get_all_values(Name, Slices))
     || Name <- Names].

%% @doc Returns the same for a VM that makes no calls.
-spec idle_lateness(Rounds :: pos_integer(), SliceMs :: pos_integer()) -> [cell()].
idle_lateness(Rounds, SliceMs) ->
    [late(nothing, null, none, 0, [timers(SliceMs) || _ <- lists:seq(1, Rounds)])].

late(Load, Size, Name, Callers, Slices) ->
    Late = lists:sort(lists:append(Slices)),
    P99 = fun(Times) -> percentile(99, Times) / 1000 end,
    #{'case' => Load, size => Size, engine => Name, callers => Callers, timers => length(Late),
      p50 => percentile(50, Late) / 1000, p99 => P99(Late), max => lists:last(Late) / 1000,
      rounds => [P99(lists:sort(Slice)) || Slice <- Slices]}.

timers(Ms) ->
    timers_until(now_us() + Ms * 1000).

timers_until(End) ->
    case now_us() of
        Now when Now >= End ->
            [];
        Now ->
            erlang:send_after(1, self(), tick),
            receive tick -> [max(0, now_us() - Now - 1000) | timers_until(End)] end
    end.

%% @doc Returns the milliseconds from the start of the application to its first answer, each time.
-spec first_answer(Rounds :: pos_integer()) -> [float()].
first_answer(Rounds) ->
    [begin
        ok = application:stop(signal_port),
        Begin = now_us(),
        ok = application:start(signal_port),
        ok = signal_port:init(),
        (now_us() - Begin) / 1000
    end || _ <- lists:seq(1, Rounds)].

%% @doc Returns the resident memory of each worker, if the system has a `ps' that reports it.
-spec workers_mib() -> [float()].
workers_mib() ->
    #{workers := Workers} = signal_port:info(),
    [Kib / 1024 || #{os_pid := OsPid} <- Workers, is_integer(OsPid),
                   {ok, [Kib], _} <- [rss(OsPid)]].

rss(OsPid) ->
    io_lib:fread("~d", os:cmd("ps -o rss= -p " ++ integer_to_list(OsPid))).

%% @doc Returns the memory of the VM, after a garbage collection of every process.
-spec vm_mib() -> float().
vm_mib() ->
    [garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(total) / 1024 / 1024.

%% --- Numbers ---

median(Values) ->
    percentile(50, lists:sort(Values)).

percentile(P, Sorted) ->
    lists:nth(max(1, ceil(length(Sorted) * P / 100)), Sorted).

us(Nanoseconds) ->
    Nanoseconds / 1000.

now_us() ->
    erlang:monotonic_time(microsecond).
