%% What an operator is told: events of the log in a domain of their own, telemetry where it is there, and the totals.
-module(signal_port_event_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [a_loss_is_a_warning_with_its_reason, a_start_is_told, a_loss_is_told_once_whatever_was_in_flight,
     a_loss_is_told_once_and_not_a_call, a_failed_start_is_an_error, giving_up_and_coming_back_are_told_once,
     a_workers_sentence_is_one_short_line, the_default_handler_shows_them,
     totals_are_the_sums_of_the_workers, totals_outlive_a_worker,
     without_telemetry_nothing_is_called, a_telemetry_that_is_not_started_is_not_called,
     a_call_has_a_start_and_a_stop, an_error_has_a_stop_with_its_atom, a_wrong_type_has_an_exception,
     a_batch_is_one_event, a_request_is_observed, workers_go_up_and_down, a_handler_that_raises_fails_no_call,
     a_handler_that_calls_does_not_hold_the_pool].

init_per_testcase(Case, Config) ->
    signal_port_stage:stop(),
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    Level = maps:get(level, logger:get_primary_config()),
    ok = logger:set_primary_config(level, all),
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => all, config => self()}),
    [{folder, Folder}, {level, Level} | Config].

end_per_testcase(_, Config) ->
    signal_port_stage:stop(),
    ok = logger:remove_handler(?MODULE),
    ok = logger:set_primary_config(level, proplists:get_value(level, Config)),
    whereis(telemetry_handler_table) =:= undefined orelse apply(telemetry, stop, []),
    _ = code:delete(telemetry),
    code:purge(telemetry).

%% The handler: whatever comes from our modules must be of our domain.
log(#{level := Level, msg := {Format, Args}, meta := #{domain := [signal_port]}}, #{config := Test}) ->
    Test ! {told, Level, lists:flatten(io_lib:format(Format, Args))},
    ok;
log(#{meta := #{mfa := {Module, _, _}}} = Event, #{config := Test}) ->
    case lists:prefix("signal_port", atom_to_list(Module)) andalso Module =/= ?MODULE of
        true -> Test ! {told, no_domain, Event}, ok;
        false -> ok
    end;
log(_, _) ->
    ok.

%% --- The log ---

a_loss_is_a_warning_with_its_reason(_) ->
    start("honest.py"),
    [ok = signal_port:init() || _ <- lists:seq(1, 7)],
    _ = told(),
    lose(),
    [{warning, "signal_port: the worker ended with signal 9 (SIGKILL), after 7 calls; the next start is in 0 ms"},
     {info, "signal_port: worker ready, OS process " ++ _}] = told().

a_start_is_told(_) ->
    start("honest.py"),
    [OsPid] = signal_port_stage:os_pids(),
    Expected = "signal_port: worker ready, OS process " ++ integer_to_list(OsPid),
    [{info, Expected}] = told().

a_loss_is_told_once_whatever_was_in_flight(_) ->
    start("hangs.py"),
    Callers = [spawn_monitor(fun signal_port:init/0) || _ <- lists:seq(1, 50)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 50 end),
    _ = told(),
    lose(),
    [{warning, _}, {info, _}] = told(),
    [begin exit(Pid, kill), receive {'DOWN', Monitor, process, Pid, _} -> ok end end || {Pid, Monitor} <- Callers].

a_loss_is_told_once_and_not_a_call(_) ->
    start("garbage_reply.py"),
    _ = told(),
    [{error, unavailable}] = lists:usort(signal_port_stage:in_parallel(4, fun(_) -> signal_port:init() end)),
    signal_port_stage:until(fun all_ready/0),
    Restarts = signal_port_stage:restarts(),
    Losses = [Text || {warning, Text} <- told()],
    Restarts = length(Losses),
    [true = string:find(Text, "the worker sent invalid protocol data, after 0 calls") =/= nomatch
     || Text <- Losses].

a_failed_start_is_an_error(Config) ->
    ok = file:write_file(begins_unfit(Config), <<"this Python lacks a wheel">>),
    lose_for_good(),
    [{warning, _} | Failures] = [One || {Level, _} = One <- told(), Level =/= info],
    [{error, "signal_port: this Python lacks a wheel, after 0 calls; the next start is in 100 ms"},
     {error, "signal_port: this Python lacks a wheel, after 0 calls; the next start is in 200 ms"} | _] = Failures.

giving_up_and_coming_back_are_told_once(Config) ->
    File = begins_unfit(Config),
    ok = file:write_file(File, <<"not now">>),
    lose_for_good(),
    [{error, unavailable} = signal_port:init() || _ <- lists:seq(1, 50)],
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 4 end),
    [_] = [Text || {error, "signal_port: no worker can be started; " ++ Text} <- told()],
    ok = file:delete(File),
    signal_port_stage:until(fun all_ready/0),
    ok = signal_port:init(),
    [{notice, "signal_port: worker ready, OS process " ++ _},
     {notice, "signal_port: a worker has started; calls are answered again"}] =
        [One || {notice, _} = One <- told()].

%% What a worker says of itself may be anything.
a_workers_sentence_is_one_short_line(Config) ->
    Said = <<"a wheel\r\n=ERROR REPORT==== forged\e[2J\0\x7f", (binary:copy(<<"long ">>, 12_000))/binary>>,
    ok = file:write_file(begins_unfit(Config), Said),
    lose_for_good(),
    Texts = [Text || {error, "signal_port: a wheel" ++ _ = Text} <- told()],
    true = Texts =/= [],
    [] = [length(Text) || Text <- Texts, length(Text) > 2000 orelse lists:any(fun is_control/1, Text)],
    false = lists:any(fun is_control/1, signal_port_stage:last_reason()).

is_control(Char) ->
    Char < 32 orelse Char =:= 127.

%% In a VM whose log is as OTP configures it, which shows no foreign domain.
the_default_handler_shows_them(_) ->
    Paths = signal_port_stage:paths(?MODULE),
    Port = open_port({spawn_executable, os:find_executable("erl")},
                     [{args, ["-noshell", "-pa" | Paths] ++ ["-s", ?MODULE_STRING, "main"]}, exit_status, binary]),
    Lines = string:split(output(Port), "\n", all),
    [_] = [Line || <<"signal_port: the worker ended with signal 9 (SIGKILL), after 1 calls;", _/binary>> = Line <- Lines],
    [] = [Line || <<"signal_port: worker ready", _/binary>> = Line <- Lines].

main() ->
    start("honest.py"),
    ok = signal_port:init(),
    lose(),
    init:stop().

output(Port) ->
    receive
        {Port, {data, Data}} -> <<Data/binary, (output(Port))/binary>>;
        {Port, {exit_status, 0}} -> <<>>
    end.

%% --- Totals ---

totals_are_the_sums_of_the_workers(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 3}]),
    signal_port_stage:until(fun all_ready/0),
    [ok = signal_port:init() || _ <- lists:seq(1, 20)],
    #{totals := #{calls := 20, in_flight := 0, restarts := 0} = Totals, workers := Workers} = signal_port:info(),
    3 = map_size(Totals),
    20 = lists:sum([Calls || #{calls := Calls} <- Workers]).

totals_outlive_a_worker(_) ->
    start("honest.py"),
    [ok = signal_port:init() || _ <- lists:seq(1, 5)],
    lose(),
    ok = signal_port:init(),
    #{totals := #{calls := 6, in_flight := 0, restarts := 1}} = signal_port:info().

%% --- Telemetry ---

without_telemetry_nothing_is_called(_) ->
    false = code:is_loaded(telemetry),
    start("honest.py"),
    true = register(telemetry_handler_table, self()),  % whatever has that name
    false = signal_port_event:is_observed(),
    ok = signal_port:init(),
    lose(),
    false = code:is_loaded(telemetry),
    true = unregister(telemetry_handler_table).

a_telemetry_that_is_not_started_is_not_called(_) ->
    load_telemetry(),
    false = signal_port_event:is_observed(),
    start("honest.py"),
    ok = signal_port:init(),
    lose().

a_call_has_a_start_and_a_stop(_) ->
    observed("honest.py"),
    {ok, _} = signal_port:sha256(<<"abc">>),
    [{[signal_port, call, start], #{system_time := _}, #{operation := sha256, telemetry_span_context := Context} = Start},
     {[signal_port, call, stop], #{duration := Duration},
      #{operation := sha256, result := ok, telemetry_span_context := Context} = Stop}] = events(call),
    {2, 3} = {map_size(Start), map_size(Stop)},
    true = is_integer(Duration) andalso Duration > 0.

an_error_has_a_stop_with_its_atom(_) ->
    observed([{pool_size, 1}]),
    {error, invalid_private_key} = signal_port:sign_data(<<"short">>, <<"abc">>),
    {error, invalid_session_size} = signal_port:encrypt(<<>>, <<"abc">>),
    [{sign_data, {error, invalid_private_key}}, {dr_encrypt, {error, invalid_session_size}}] = stops().

a_wrong_type_has_an_exception(_) ->
    observed("honest.py"),
    badarg = try signal_port:sha256(secret_of_the_caller) catch error:badarg -> badarg end,
    [{[signal_port, call, start], _, _},
     {[signal_port, call, exception], #{duration := _},
      #{operation := sha256, kind := error, reason := badarg, stacktrace := Trace}}] = events(call),
    [] = [Call || {_, _, Args, _} = Call <- Trace, not is_integer(Args)],
    nomatch = string:find(io_lib:format("~p", [Trace]), "secret_of_the_caller").

a_batch_is_one_event(_) ->
    observed([{pool_size, 1}]),
    [{ok, _}, {ok, _}, {error, invalid_private_key}] =
        signal_port:batch([{sha256, [<<>>]}, {sha512, [<<>>]}, {sign_data, [<<>>, <<>>]}]),
    [{batch, ok}] = stops().

a_request_is_observed(_) ->
    observed("honest.py"),
    {reply, {ok, _}} = signal_port:receive_response(signal_port:send_request(sha256, [<<>>])),
    [{sha256, ok}] = stops().

workers_go_up_and_down(_) ->
    observed("honest.py"),
    [Old] = signal_port_stage:os_pids(),
    [ok = signal_port:init() || _ <- lists:seq(1, 3)],
    lose(),
    [New] = signal_port_stage:os_pids(),
    [{[signal_port, worker, up], #{system_time := _}, #{os_pid := Old}},
     {[signal_port, worker, down], #{system_time := _, calls := 3},
      #{os_pid := Old, reason := "the worker ended with signal 9 (SIGKILL)"}},
     {[signal_port, worker, up], #{system_time := _}, #{os_pid := New}}] = events(worker).

a_handler_that_raises_fails_no_call(_) ->
    load_telemetry(),
    ok = telemetry:start(),
    [ok = telemetry:attach(?MODULE, Event, fun(_, _, _, _) -> error(no_such_metric) end, []) || Event <- names()],
    start("honest.py"),
    {ok, _} = signal_port:sha256(<<"abc">>),
    lose(),
    ok = signal_port:init().

%% Handlers of workers' events run in the pool, which is whom a call asks that finds no worker.
a_handler_that_calls_does_not_hold_the_pool(_) ->
    load_telemetry(),
    ok = telemetry:start(),
    Test = self(),
    Call = fun(_, _, _, _) -> Test ! {answer, signal_port:init()} end,
    ok = telemetry:attach(?MODULE, [signal_port, worker, down], Call, []),
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}, {call_timeout, infinity}]),
    ok = signal_port:init(),
    kill(),
    receive
        {answer, Answer} -> {error, unavailable} = Answer
    after 5000 ->
        exit(whereis(signal_port_pool), kill),
        error(the_pool_is_held)
    end,
    ok = signal_port:init().

names() ->
    [[signal_port | Rest] || Rest <- [[call, start], [call, stop], [call, exception], [worker, up], [worker, down]]].

load_telemetry() ->
    Source = signal_port_stage:root("tests/telemetry/telemetry.erl"),
    {ok, telemetry, Beam} = compile:file(Source, [binary, report]),
    {module, telemetry} = code:load_binary(telemetry, Source, Beam),
    ok.

observed([Char | _] = StandIn) when is_integer(Char) ->
    observed([{python, signal_port_stage:stand_in(StandIn)}, {pool_size, 1}]);
observed(Options) ->
    load_telemetry(),
    ok = telemetry:start(),
    [ok = telemetry:attach(?MODULE, Event, fun ?MODULE:event/4, self()) || Event <- names()],
    ok = signal_port_stage:start(Options).

event(Name, Measurements, Metadata, Test) ->
    Test ! {event, Name, Measurements, Metadata}.

%% Events of the pool are sent before it answers, those of a call before that returns.
events(Of) ->
    _ = signal_port:info(),
    receive
        {event, [signal_port, Of, _] = Name, Measurements, Metadata} -> [{Name, Measurements, Metadata} | events(Of)]
    after 0 -> []
    end.

stops() ->
    [{Operation, Result} || {[_, _, stop], _, #{operation := Operation, result := Result}} <- events(call)].

%% --- Internals ---

start(StandIn) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1}, {stall_timeout, 60_000}]).

told() ->
    _ = catch signal_port:info(),
    receive {told, Level, Text} -> [{Level, Text} | told()] after 0 -> [] end.

lose() ->
    Restarts = signal_port_stage:restarts(),
    kill(),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > Restarts andalso all_ready() end).

kill() ->
    [signal_port_stage:signal("KILL", OsPid) || OsPid <- signal_port_stage:os_pids()].

%% A pool whose worker will say that it is unfit, as soon as there is something in the file.
begins_unfit(Config) ->
    Folder = proplists:get_value(folder, Config),
    Python = filename:join(Folder, "python"),
    ok = file:make_symlink(filename:absname(signal_port_stage:stand_in("unfit_while_told.py")), Python),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1}]),
    ok = signal_port:init(),
    filename:join(Folder, "unfit").

lose_for_good() ->
    kill(),
    {error, unavailable} = signal_port:init(),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 3 end).

all_ready() ->
    lists:all(fun(#{state := State}) -> State =:= ready end, signal_port_stage:workers()).
