%% Events for operators: log lines in their own domain, telemetry, and the totals of info/0.
-module(signal_port_event_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, log}, {group, totals}, {group, telemetry}].

groups() ->
    [{log, [lost_worker_is_a_warning, start_is_logged, lost_worker_is_logged_once,
            failed_call_is_not_logged, failed_start_is_an_error_once,
            unavailable_and_available_are_logged_once, workers_sentence_is_one_short_line,
            default_handler_shows_events, failed_start_is_one_line,
            wrong_option_is_one_line, log_of_none_leaves_the_default_handler_alone,
            log_of_none_removes_the_filter]},
     {totals, [totals_sum_the_workers, totals_outlive_a_worker]},
     {telemetry, [missing_telemetry_is_not_called, stopped_telemetry_is_not_called,
                  call_has_start_and_stop, call_that_waits_has_a_queue_time,
                  retried_call_has_its_attempts, refused_call_has_no_worker,
                  frames_of_a_batch_are_its_attempts, error_is_in_the_stop_event,
                  wrong_type_has_an_exception, batch_is_one_event, request_is_observed,
                  worker_has_up_and_down, raising_handler_fails_no_call,
                  calling_handler_does_not_block_the_pool]}].

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
    signal_port_telemetry:unload().

%% The log handler: all events of our modules must be in our domain.
log(#{level := Level, msg := {Format, Args}, meta := #{domain := [signal_port]}},
    #{config := Test}) ->
    Test ! {logged, Level, lists:flatten(io_lib:format(Format, Args))},
    ok;
log(#{meta := #{mfa := {Module, _, _}}} = Event, #{config := Test}) ->
    case lists:prefix("signal_port", atom_to_list(Module)) andalso Module =/= ?MODULE of
        true -> Test ! {logged, no_domain, Event}, ok;
        false -> ok
    end;
log(_, _) ->
    ok.

%% --- The log ---

lost_worker_is_a_warning(_) ->
    start("honest.py"),
    [ok = signal_port:init() || _ <- lists:seq(1, 7)],
    _ = logged(),
    lose(),
    [{warning, "signal_port: the worker ended with signal 9 (SIGKILL), after 7 calls; "
               "the next start is in 0 ms"},
     {info, "signal_port: worker ready, OS process " ++ _}] = logged().

start_is_logged(_) ->
    start("honest.py"),
    [OsPid] = signal_port_stage:os_pids(),
    Expected = "signal_port: worker ready, OS process " ++ integer_to_list(OsPid),
    [{info, Expected}] = logged().

lost_worker_is_logged_once(_) ->
    start("hangs.py"),
    Callers = [spawn_monitor(fun signal_port:init/0) || _ <- lists:seq(1, 50)],
    signal_port_stage:await_in_flight(50),
    _ = logged(),
    lose(),
    [{warning, _}, {info, _}] = logged(),
    [exit(Pid, kill) || {Pid, _} <- Callers],
    [receive {'DOWN', Monitor, process, Pid, _} -> ok end || {Pid, Monitor} <- Callers].

failed_call_is_not_logged(_) ->
    start("garbage_reply.py"),
    _ = logged(),
    Answers = signal_port_stage:in_parallel(4, fun(_) -> signal_port:init() end),
    [{error, unavailable}] = lists:usort(Answers),
    signal_port_stage:await_ready(),
    Restarts = signal_port_stage:restarts(),
    Losses = [Text || {warning, Text} <- logged()],
    Restarts = length(Losses),
    [true = string:find(Text, "the worker sent invalid protocol data, after 0 calls") =/= nomatch
     || Text <- Losses].

failed_start_is_an_error_once(Config) ->
    ok = file:write_file(start_unfit(Config), <<"this Python lacks a wheel">>),
    lose_all(),
    [{warning, _} | Failures] = [One || {Level, _} = One <- logged(), Level =/= info],
    [{error, "signal_port: this Python lacks a wheel, after 0 calls; the next start is in 100 ms"},
     {debug, "signal_port: this Python lacks a wheel, after 0 calls; the next start is in 200 ms"}
     | _] = Failures.

unavailable_and_available_are_logged_once(Config) ->
    File = start_unfit(Config),
    ok = file:write_file(File, <<"not now">>),
    lose_all(),
    [{error, unavailable} = signal_port:init() || _ <- lists:seq(1, 50)],
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 4 end),
    [_] = [Text || {error, "signal_port: no worker can be started; " ++ Text} <- logged()],
    ok = file:delete(File),
    signal_port_stage:await_ready(),
    ok = signal_port:init(),
    [{notice, "signal_port: worker ready, OS process " ++ _},
     {notice, "signal_port: a worker has started; calls are answered again"}] =
        [One || {notice, _} = One <- logged()].

%% A worker's own sentence can have any characters.
workers_sentence_is_one_short_line(Config) ->
    Sentence = <<"a wheel\r\n=ERROR REPORT==== forged\e[2J\0\x7f",
                 (binary:copy(<<"long ">>, 12_000))/binary>>,
    ok = file:write_file(start_unfit(Config), Sentence),
    lose_all(),
    Texts = [Text || {error, "signal_port: a wheel" ++ _ = Text} <- logged()],
    true = Texts =/= [],
    [] = [length(Text) || Text <- Texts,
                          length(Text) > 2000 orelse lists:any(fun is_control/1, Text)],
    false = lists:any(fun is_control/1, signal_port_stage:last_reason()).

is_control(Char) ->
    Char < 32 orelse Char =:= 127.

%% --- The log of a VM with OTP's default handler, which shows no foreign domain ---

default_handler_shows_events(_) ->
    Lost = "signal_port: the worker ended with signal 9 (SIGKILL), after 1 calls; "
           "the next start is in 0 ms",
    ["=WARNING REPORT==== " ++ _, Lost] = printed_by(main).

main() ->
    start("honest.py"),
    ok = signal_port:init(),
    lose(),
    init:stop().

failed_start_is_one_line(_) ->
    ["=ERROR REPORT==== " ++ _, Line] = printed_by(fail),
    Line = "signal_port did not start: no Python was found: install Python 3.10 or later, or set "
           "signal_port's option {python, Path}".

fail() ->
    {error, _} = signal_port_stage:start([{python, "no-python-has-this-name"}, {pool_size, 2}]),
    init:stop().

wrong_option_is_one_line(_) ->
    ["=ERROR REPORT==== " ++ _, Line] = printed_by(mistype),
    Line = "signal_port did not start: signal_port's option pool_size must be auto or a number of "
           "workers from 0 to 256, but is -1".

mistype() ->
    {error, _} = signal_port_stage:start([{pool_size, -1}]),
    init:stop().

log_of_none_leaves_the_default_handler_alone(_) ->
    [] = printed_by(main_without_log).

main_without_log() ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}, {log, none}]),
    lose(),
    init:stop().

log_of_none_removes_the_filter(_) ->
    [] = [Line || "signal_port:" ++ _ = Line <- printed_by(main_then_without_log)].

main_then_without_log() ->
    start("honest.py"),
    ok = application:stop(signal_port),
    main_without_log().

%% Returns the lines that a new VM prints while it runs a function of this module.
printed_by(Function) ->
    Args = ["-noshell", "-pa" | signal_port_stage:paths(?MODULE)]
           ++ ["-s", ?MODULE_STRING, atom_to_list(Function)],
    Port = open_port({spawn_executable, os:find_executable("erl")},
                     [{args, Args}, exit_status, binary]),
    string:lexemes(binary_to_list(output(Port)), "\n").

output(Port) ->
    receive
        {Port, {data, Data}} -> <<Data/binary, (output(Port))/binary>>;
        {Port, {exit_status, 0}} -> <<>>
    end.

%% --- Totals ---

totals_sum_the_workers(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 3}]),
    signal_port_stage:await_ready(),
    [ok = signal_port:init() || _ <- lists:seq(1, 20)],
    #{totals := #{calls := 20, in_flight := 0, restarts := 0} = Totals, workers := Workers} =
        signal_port:info(),
    5 = map_size(Totals),
    20 = lists:sum([Calls || #{calls := Calls} <- Workers]).

totals_outlive_a_worker(_) ->
    start("honest.py"),
    [ok = signal_port:init() || _ <- lists:seq(1, 5)],
    lose(),
    ok = signal_port:init(),
    #{totals := #{calls := 6, in_flight := 0, restarts := 1}} = signal_port:info().

%% --- Telemetry ---

missing_telemetry_is_not_called(_) ->
    false = code:is_loaded(telemetry),
    start("honest.py"),
    true = register(telemetry_handler_table, self()),  % another process has that name
    false = signal_port_span:is_observed(),
    ok = signal_port:init(),
    lose(),
    false = code:is_loaded(telemetry),
    true = unregister(telemetry_handler_table).

stopped_telemetry_is_not_called(_) ->
    ok = signal_port_telemetry:load(),
    false = signal_port_span:is_observed(),
    start("honest.py"),
    ok = signal_port:init(),
    lose().

call_has_start_and_stop(_) ->
    observed("honest.py"),
    Node = node(),
    {ok, _} = signal_port:sha256(<<"abc">>),
    [{[signal_port, call, start], #{system_time := _, monotonic_time := Started},
      #{operation := sha256, telemetry_span_context := Context} = Start},
     {[signal_port, call, stop], #{duration := Duration, monotonic_time := Ended} = Measured,
      #{operation := sha256, result := ok, worker := 1, node := Node,
        telemetry_span_context := Context} = Stop}] = events(call),
    {2, 5} = {map_size(Start), map_size(Stop)},
    Duration = Ended - Started,
    #{queue_time := QueueTime, attempts := 1, batch_size := 1} = Measured,
    true = 0 < QueueTime andalso QueueTime < Duration.

call_that_waits_has_a_queue_time(Config) ->
    File = signal_port_stage:switch(Config),
    observed([{python, signal_port_stage:stand_in("slow_on_marker.py")}, {pool_size, 1}]),
    Slow = signal_port_stage:async(fun() -> signal_port:sha256(signal_port_stage:marker()) end),
    signal_port_stage:await_in_flight(1),
    Others = [signal_port_stage:async(fun signal_port:init/0) || _ <- lists:seq(1, 64)],
    signal_port_stage:await_in_flight(65),
    signal_port_stage:until(fun() -> #{totals := #{queued := 1}} = signal_port:info() end),
    Waits = erlang:monotonic_time(),
    ok = file:write_file(File, <<>>),
    [{ok, _} | _] = [signal_port_stage:await(Call) || Call <- [Slow | Others]],
    [_] = [written || {[_, _, stop], #{queue_time := QueueTime, monotonic_time := Ended,
                                       duration := Duration}, _} <- events(call),
                      Ended - Duration + QueueTime > Waits].

retried_call_has_its_attempts(_) ->
    observed("exits_on_call.py"),
    Node = node(),
    {error, unavailable} = signal_port:init(),
    [{#{attempts := 3, queue_time := _},
      #{result := {error, unavailable}, worker := 1, node := Node}}] =
        [{Measured, Metadata} || {[_, _, stop], Measured, Metadata} <- events(call)].

refused_call_has_no_worker(_) ->
    observed([{pool_size, 1}, {max_frame, 16384}]),
    {error, too_large} = signal_port:sha256(binary:copy(<<0>>, 16384)),
    [{#{attempts := 0} = Measured, #{worker := undefined, node := undefined}}] =
        [{Measured, Metadata} || {[_, _, stop], Measured, Metadata} <- events(call)],
    false = is_map_key(queue_time, Measured).

error_is_in_the_stop_event(_) ->
    observed([{pool_size, 1}]),
    {error, invalid_private_key} = signal_port:sign_data(<<"short">>, <<"abc">>),
    {error, invalid_session_size} = signal_port:encrypt(<<>>, <<"abc">>),
    [{sign_data, {error, invalid_private_key}}, {dr_encrypt, {error, invalid_session_size}}] =
        stops().

wrong_type_has_an_exception(_) ->
    observed("honest.py"),
    badarg = try signal_port:sha256(secret_of_the_caller) catch error:badarg -> badarg end,
    [{[signal_port, call, start], _, _},
     {[signal_port, call, exception], #{duration := _},
      #{operation := sha256, kind := error, reason := badarg, stacktrace := Trace}}] = events(call),
    [] = [Call || {_, _, Args, _} = Call <- Trace, not is_integer(Args)],
    nomatch = string:find(io_lib:format("~p", [Trace]), "secret_of_the_caller").

batch_is_one_event(_) ->
    observed([{pool_size, 1}]),
    [{ok, _}, {ok, _}, {error, invalid_private_key}] =
        signal_port:batch([{sha256, [<<>>]}, {sha512, [<<>>]}, {sign_data, [<<>>, <<>>]}]),
    [{#{batch_size := 3, attempts := 1, queue_time := _},
      #{operation := batch, result := ok, worker := 1}}] =
        [{Measured, Metadata} || {[_, _, stop], Measured, Metadata} <- events(call)].

frames_of_a_batch_are_its_attempts(_) ->
    observed([{pool_size, 1}]),
    200 = length(signal_port:batch(lists:duplicate(200, {init, []}))),
    [{[_, _, stop], #{batch_size := 200, attempts := 4}, _}] =
        [Event || {[_, _, stop], _, _} = Event <- events(call)].

request_is_observed(_) ->
    observed("honest.py"),
    {reply, {ok, _}} = signal_port:receive_response(signal_port:send_request(sha256, [<<>>])),
    [{sha256, ok}] = stops().

worker_has_up_and_down(_) ->
    observed("honest.py"),
    [Old] = signal_port_stage:os_pids(),
    [ok = signal_port:init() || _ <- lists:seq(1, 3)],
    lose(),
    [New] = signal_port_stage:os_pids(),
    [{[signal_port, worker, up], #{system_time := _},
      #{worker := 1, os_pid := Old}},
     {[signal_port, worker, down], #{system_time := _, calls := 3},
      #{worker := 1, os_pid := Old, reason := "the worker ended with signal 9 (SIGKILL)"}},
     {[signal_port, worker, up], #{system_time := _},
      #{worker := 1, os_pid := New}}] = events(worker).

raising_handler_fails_no_call(_) ->
    ok = signal_port_telemetry:start(),
    Raise = fun(_, _, _, _) -> error(no_such_metric) end,
    ok = signal_port_telemetry:attach_all(?MODULE, Raise, []),
    start("honest.py"),
    {ok, _} = signal_port:sha256(<<"abc">>),
    lose(),
    ok = signal_port:init().

%% Handlers of worker events run in the pool, and a call without a ready worker asks the pool.
calling_handler_does_not_block_the_pool(_) ->
    ok = signal_port_telemetry:start(),
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
        error(pool_is_blocked)
    end,
    ok = signal_port:init().

observed([Char | _] = StandIn) when is_integer(Char) ->
    observed([{python, signal_port_stage:stand_in(StandIn)}, {pool_size, 1}]);
observed(Options) ->
    ok = signal_port_telemetry:start(),
    ok = signal_port_telemetry:attach_all(?MODULE, fun ?MODULE:event/4, self()),
    ok = signal_port_stage:start(Options).

event(Name, Measurements, Metadata, Test) ->
    Test ! {event, Name, Measurements, Metadata}.

%% The pool's events are sent before it replies, and a call's events before it returns.
events(Of) ->
    _ = signal_port:info(),
    receive
        {event, [signal_port, Of, _] = Name, Measurements, Metadata} ->
            [{Name, Measurements, Metadata} | events(Of)]
    after 0 -> []
    end.

stops() ->
    [{Operation, Result}
     || {[_, _, stop], _, #{operation := Operation, result := Result}} <- events(call)].

%% --- Internals ---

start(StandIn) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1}, {stall_timeout, 60_000}]).

logged() ->
    _ = catch signal_port:info(),
    receive {logged, Level, Text} -> [{Level, Text} | logged()] after 0 -> [] end.

lose() ->
    Restarts = signal_port_stage:restarts(),
    kill(),
    signal_port_stage:until(fun() ->
        signal_port_stage:restarts() > Restarts andalso signal_port_stage:are_ready()
    end).

kill() ->
    signal_port_stage:kill(signal_port_stage:os_pids()).

%% Starts a pool whose workers report that they are unfit once the returned file has text.
start_unfit(Config) ->
    Folder = proplists:get_value(folder, Config),
    Python = filename:join(Folder, "python"),
    StandIn = filename:absname(signal_port_stage:stand_in("unfit_while_told.py")),
    ok = file:make_symlink(StandIn, Python),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1}]),
    ok = signal_port:init(),
    filename:join(Folder, "unfit").

lose_all() ->
    kill(),
    {error, unavailable} = signal_port:init(),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 3 end).
