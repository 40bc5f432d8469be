%% A slot of the pool: which worker it offers, and when the next one starts. The workers are
%% processes that do nothing, under a supervisor of the test with the name of the workers' own.
-module(signal_port_slot_SUITE).
-behaviour(supervisor).
-compile([export_all, nowarn_export_all]).

-define(FAILURE, {shutdown, no_python}).
-define(BACK_OFF, [100, 200, 400, 800, 1600, 3200, 6400]).  % milliseconds
-define(MAX_BACK_OFF, 10_000).                              % milliseconds
-define(MIN_LIFE, 1000).                                    % milliseconds

all() ->
    [{group, offers}, {group, failed_starts}, {group, ends}].

groups() ->
    [{offers, [only_a_ready_worker_is_offered]},
     {failed_starts, [delay_doubles_up_to_ten_seconds, transient_failure_delays_less,
                      third_failure_gives_up, ready_worker_ends_the_back_off]},
     {ends, [worker_that_ends_idle_is_followed_later, worker_that_has_worked_is_followed_at_once]}].

init_per_testcase(_, Config) ->
    signal_port_stage:stop(),
    {ok, Supervisor} = supervisor:start_link({local, signal_port_worker_sup}, ?MODULE, []),
    [{supervisor, Supervisor} | Config].

end_per_testcase(_, Config) ->
    gen_server:stop(proplists:get_value(supervisor, Config)).

%% --- What it offers ---

only_a_ready_worker_is_offered(_) ->
    Starting = start(signal_port_slot:new(1)),
    Ready = signal_port_slot:ready(Starting, #{}),
    {_, Waiting} = signal_port_slot:down(Ready, killed, true),
    [[], [], [_], [], []] = [signal_port_slot:worker(Slot)
                             || Slot <- [signal_port_slot:new(1), Starting, Ready, Waiting,
                                         start(Waiting)]].

%% --- Failed starts ---

delay_doubles_up_to_ten_seconds(_) ->
    {Delays, _} = failed_starts(100, ?FAILURE),
    {?BACK_OFF, Others} = lists:split(length(?BACK_OFF), Delays),
    [?MAX_BACK_OFF] = lists:usort(Others).

%% Ten killed starts weigh as much as a failed one.
transient_failure_delays_less(_) ->
    {Delays, _} = failed_starts(11, {shutdown, {ended, "python3", 128 + 9}}),
    Delays = lists:duplicate(10, 100) ++ [200].

third_failure_gives_up(_) ->
    [false, false, true] = [signal_port_slot:is_given_up(element(2, failed_starts(Count, ?FAILURE)))
                            || Count <- [1, 2, 3]].

ready_worker_ends_the_back_off(_) ->
    {_, Failed} = failed_starts(5, ?FAILURE),
    Ready = signal_port_slot:ready(start(Failed), #{}),
    false = signal_port_slot:has_failed(Ready),
    {_, Waiting} = signal_port_slot:down(Ready, killed, true),
    {100, _} = signal_port_slot:down(start(Waiting), ?FAILURE, true).

%% So many starts that fail. Returns the delay after each.
failed_starts(Count, Reason) ->
    lists:mapfoldl(fun(_, Slot) -> signal_port_slot:down(start(Slot), Reason, true) end,
                   signal_port_slot:new(1), lists:seq(1, Count)).

%% --- Ends ---

worker_that_ends_idle_is_followed_later(_) ->
    ?MIN_LIFE = delay_after_a_short_life().

%% The clock is read around a life: the machine can stop this process for a second.
delay_after_a_short_life() ->
    Since = signal_port_deadline:now_ms(),
    {Delay, _} = signal_port_slot:down(ready(), killed, true),
    case signal_port_deadline:now_ms() - Since < ?MIN_LIFE of
        true -> Delay;
        false -> delay_after_a_short_life()
    end.

worker_that_has_worked_is_followed_at_once(_) ->
    Ready = ready(),
    [{_, Counters}] = signal_port_slot:worker(Ready),
    signal_port_counters:add_taken(Counters, 1),
    {0, _} = signal_port_slot:down(Ready, killed, true).

%% --- Internals ---

ready() ->
    signal_port_slot:ready(start(signal_port_slot:new(1)), #{}).

start(Slot) ->
    signal_port_slot:start(Slot, #{}).

%% The supervisor's callback, and its child.
init([]) ->
    Worker = #{id => worker, restart => temporary, shutdown => brutal_kill,
               start => {?MODULE, start_worker, []}},
    {ok, {#{strategy => simple_one_for_one}, [Worker]}}.

start_worker(_Pool, _Counters, _Config) ->
    {ok, spawn_link(fun() -> receive stop -> ok end end)}.
