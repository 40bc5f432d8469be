%% Metrics: the text for Prometheus, and the event for telemetry_poller.
-module(signal_port_metrics_SUITE).
-compile([export_all, nowarn_export_all]).

-define(COMMENT, "^# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter))$").
-define(SAMPLE, "^[a-z_]+(\\{([a-z_]+=\"([^\"\\\\]|\\\\.)*\",?)+\\})? -?[0-9]+$").

all() ->
    [{group, text}, {group, event}].

groups() ->
    [{text, [lines_have_the_format, metrics_count_calls_and_restarts, missing_worker_is_shown,
             stopped_application_is_not_up, label_is_escaped, node_has_its_own_metrics]},
     {event, [event_has_the_totals, stopped_application_has_no_event,
              missing_telemetry_is_no_error]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop(),
    signal_port_telemetry:unload().

%% --- Text ---

lines_have_the_format(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 2}]),
    Text = signal_port:metrics(),
    [] = malformed(Text),
    $\n = binary:last(Text).

metrics_count_calls_and_restarts(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    [ok = signal_port:init() || _ <- lists:seq(1, 5)],
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 1 end),
    signal_port_stage:await_ready(),
    ok = signal_port:init(),
    Lines = lines(signal_port:metrics()),
    [] = ["signal_port_up 1", "signal_port_workers{state=\"ready\"} 1",
          "signal_port_calls_total{worker=\"1\"} 6", "signal_port_in_flight{worker=\"1\"} 0",
          "signal_port_restarts_total{worker=\"1\"} 1", "signal_port_queued 0",
          "signal_port_refused_total 0"] -- Lines.

missing_worker_is_shown(_) ->
    ok = signal_port_stage:start([{command, ["/nowhere"]}, {pool_size, 1},
                                  {start_without_worker, true}]),
    [_] = [Line || "signal_port_workers{state=\"ready\"} 0" = Line <- lines(signal_port:metrics())].

stopped_application_is_not_up(_) ->
    signal_port_stage:stop(),
    ["# HELP " ++ _, "# TYPE " ++ _, "signal_port_up 0"] = lines(signal_port:metrics()).

label_is_escaped(_) ->
    Text = signal_port_metrics:text((info())#{versions := #{openssl => <<"a\"b\\c\nd">>}}),
    [] = malformed(Text),
    [_] = [Line || "signal_port_info{backend=\"port\",openssl=\"a\\\"b\\\\c\\nd\"} 1" = Line
                       <- lines(Text)].

node_has_its_own_metrics(_) ->
    Node = #{node => 'b@host', calls => 7, in_flight => 2},
    Text = signal_port_metrics:text((info())#{nodes := [Node]}),
    [] = malformed(Text),
    [] = ["signal_port_node_calls_total{node=\"b@host\"} 7",
          "signal_port_node_in_flight{node=\"b@host\"} 2"] -- lines(Text).

info() ->
    #{backend => port, versions => #{}, workers => [], nodes => [],
      totals => #{queued => 0, refused => 0}}.

lines(Text) ->
    string:lexemes(binary_to_list(Text), "\n").

malformed(Text) ->
    [Line || Line <- lines(Text), re:run(Line, ?COMMENT) =:= nomatch,
             re:run(Line, ?SAMPLE) =:= nomatch].

%% --- The event ---

event_has_the_totals(_) ->
    attach(),
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 2}]),
    signal_port_stage:await_ready(),
    ok = signal_port:init(),
    ok = signal_port:dispatch_stats(),
    [{#{workers := 2, ready := 2, calls := 1, in_flight := 0, queued := 0, refused := 0,
        restarts := 0}, #{backend := port}}] = events().

stopped_application_has_no_event(_) ->
    attach(),
    signal_port_stage:stop(),
    ok = signal_port:dispatch_stats(),
    [] = events().

missing_telemetry_is_no_error(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    ok = signal_port:dispatch_stats().

attach() ->
    Test = self(),
    ok = signal_port_telemetry:start(),
    Send = fun(_, Measurements, Metadata, _) -> Test ! {stats, {Measurements, Metadata}} end,
    ok = telemetry:attach(?MODULE, [signal_port, pool, stats], Send, []).

events() ->
    receive {stats, Event} -> [Event | events()] after 0 -> [] end.
