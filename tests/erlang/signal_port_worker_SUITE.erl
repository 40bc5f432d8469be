%% One worker, and the faults of its OS process. Each fault is a stand-in of tests/workers.
-module(signal_port_worker_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches
-define(INVALID, "the worker sent invalid protocol data").
-define(STALLED, "the worker had requests and sent no reply within stall_timeout").

all() ->
    [{group, replies}, {group, invalid}, {group, ends}, {group, deadlines}].

groups() ->
    [{replies, [honest_stand_in_answers, worker_is_started_as_configured,
                replies_cut_anywhere_are_read, waiting_calls_are_answered_in_order,
                long_answer_is_not_kept, answer_of_max_frame_is_read]},
     {invalid, [garbage_ends_the_worker, garbage_answer_ends_the_worker, wrong_tag_ends_the_worker,
                second_reply_ends_the_worker, unasked_frame_ends_the_worker,
                half_a_frame_ends_the_worker, length_of_4_gib_ends_the_worker,
                length_of_1_gib_ends_the_worker, length_over_max_frame_ends_the_worker,
                answer_before_garbage_is_returned, unknown_atom_ends_the_worker]},
     {ends, [exit_ends_the_worker, hang_ends_the_worker, stop_signal_ends_the_worker,
             closed_pipe_ends_the_worker, full_pipe_ends_the_worker,
             port_that_refuses_each_write_ends_the_worker,
             killed_worker_leaves_no_os_process, killed_watchdog_leaves_no_os_process,
             os_process_ignoring_term_is_killed, unknown_messages_are_ignored,
             late_calls_of_ended_worker_are_bystanders]},
     {deadlines, [busy_worker_is_not_stalled, idle_worker_is_not_stalled,
                  stopped_idle_worker_is_found_by_next_call, call_on_full_pipe_times_out,
                  late_answer_reaches_no_caller]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

honest_stand_in_answers(_) ->
    start("honest.py", []),
    ok = signal_port:init(),
    {ok, <<16#BA7816BF:32, _:28/binary>>} = signal_port:sha256(<<"abc">>),
    undefined = signal_port_stage:last_reason().

%% The path of the package depends on the installation. The other arguments do not.
worker_is_started_as_configured(_) ->
    start("tells_its_start.py", [{max_frame, 20_000}, {busy_wait, 77}]),
    {ok, Reported} = signal_port:sha256(<<>>),
    [Tunables | Arguments] = string:split(Reported, "\n", all),
    [<<"-I">>, <<"-B">>, Path, <<"worker">>, <<"20000">>, <<"77">>] = Arguments,
    <<"signal_port">> = filename:basename(Path),
    <<"glibc.malloc.hugetlb=1">> = Tunables.

replies_cut_anywhere_are_read(_) ->
    start("one_byte_at_a_time.py", []),
    Hash = fun(_) -> signal_port:sha256(<<"abc">>) end,
    [{ok, <<16#BA7816BF:32, _:28/binary>>} = Answer
     || Answer <- signal_port_stage:in_parallel(20, Hash)],
    0 = signal_port_stage:restarts().

%% The calls in the mailbox go to the OS process in one write, in order.
waiting_calls_are_answered_in_order(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Worker = signal_port_stage:pid(),
    Hash = fun(Number) -> signal_port:sha256(binary:copy(<<Number>>, 1000 * (Number rem 30))) end,
    Expected = [Hash(Number) || Number <- lists:seq(1, 200)],
    ok = sys:suspend(Worker),
    Callers = [signal_port_stage:async(fun() -> Hash(Number) end) || Number <- lists:seq(1, 200)],
    signal_port_stage:until(fun() ->
        process_info(Worker, message_queue_len) =:= {message_queue_len, 200}
    end),
    ok = sys:resume(Worker),
    Expected = [signal_port_stage:await(Caller) || Caller <- Callers],
    0 = signal_port_stage:restarts().

%% An idle process does not collect its garbage: it would keep the last long answer.
long_answer_is_not_kept(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Before = erlang:memory(binary),
    Call = fun() ->
        {ok, _, _} = signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, <<0:(32 bsl 23)>>, <<>>, 16)
    end,
    {_, Monitor} = spawn_monitor(Call),
    receive {'DOWN', Monitor, process, _, normal} -> ok end,
    signal_port_stage:until(fun() -> erlang:memory(binary) - Before < 8 bsl 20 end).

%% --- Faults: each ends the worker, and none returns a wrong answer ---

garbage_ends_the_worker(_) ->
    ends("garbage_reply.py", ?INVALID).

garbage_answer_ends_the_worker(_) ->
    ends("garbage_answer.py", ?INVALID).

wrong_tag_ends_the_worker(_) ->
    ends("wrong_tag.py", ?INVALID).

second_reply_ends_the_worker(_) ->
    start("replies_twice.py", []),
    ok = signal_port:init(),
    ?INVALID = signal_port_stage:until(fun has_ended/0),
    ok = signal_port:init().

unasked_frame_ends_the_worker(_) ->
    start("unasked_frame.py", []),
    ?INVALID = signal_port_stage:until(fun has_ended/0).

half_a_frame_ends_the_worker(_) ->
    ends("half_a_frame.py", "the worker ended with status 5").

%% The header is enough to end the worker: it does not wait for the bytes.
length_of_4_gib_ends_the_worker(_) ->
    ends("oversized_header.py", [{stall_timeout, ?PATIENT}], [?INVALID]).

length_of_1_gib_ends_the_worker(_) ->
    ends("oversized_frame.py", [{stall_timeout, ?PATIENT}], [?INVALID]).

answer_of_max_frame_is_read(_) ->
    start("fills_a_frame.py", [{max_frame, 100_000}]),
    {ok, Long} = signal_port:sha256(<<>>),
    99_983 = byte_size(Long),
    0 = signal_port_stage:restarts().

length_over_max_frame_ends_the_worker(_) ->
    start("fills_a_frame.py", [{max_frame, 100_000}, {stall_timeout, ?PATIENT}]),
    {error, unavailable} = signal_port:sha256(signal_port_stage:marker()),
    ?INVALID = signal_port_stage:until(fun has_ended/0).

%% The answered call must not become the suspect in place of the next one.
answer_before_garbage_is_returned(_) ->
    start("answers_then_lies.py", [{stall_timeout, ?PATIENT}]),
    ok = signal_port:init(),
    ?INVALID = signal_port_stage:until(fun has_ended/0).

unknown_atom_ends_the_worker(_) ->
    start("unknown_atom.py", []),
    Name = binary:encode_hex(rand:bytes(8)),
    {error, unavailable} = signal_port:sha256(Name),
    ?INVALID = signal_port_stage:until(fun has_ended/0),
    try binary_to_existing_atom(Name) of
        Atom -> error({made, Atom})
    catch
        error:badarg -> ok
    end.

exit_ends_the_worker(_) ->
    ends("exits_on_call.py", "the worker ended with status 6").

hang_ends_the_worker(_) ->
    ends("hangs.py", [{stall_timeout, 200}], [?STALLED]).

stop_signal_ends_the_worker(_) ->
    ends("stops_itself.py", [{stall_timeout, 200}], [?STALLED]).

closed_pipe_ends_the_worker(_) ->
    ends("closes_its_pipe.py", [{stall_timeout, 500}],
         ["the worker's pipe was closed during a write, so its exit status is unknown: if the "
          "kernel ended OS process N, its log (dmesg) says why", ?STALLED]).

full_pipe_ends_the_worker(_) ->
    start("reads_nothing.py", [{stall_timeout, 300}]),
    Call = fun(_) -> signal_port:sha256(binary:copy(<<0>>, 1 bsl 20)) end,
    [{error, unavailable} = Answer || Answer <- signal_port_stage:in_parallel(5, Call)],
    ?STALLED = signal_port_stage:until(fun has_ended/0).

%% The test itself fills the pipe, so no call is written: the call waits, and no reply is due. The
%% watchdog must count calls that wait. The next worker answers the call.
port_that_refuses_each_write_ends_the_worker(_) ->
    start("honest.py", [{stall_timeout, 300}, {call_timeout, ?PATIENT}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    {links, Links} = process_info(signal_port_stage:pid(), links),
    [Port] = [Link || Link <- Links, is_port(Link)],
    true = port_command(Port, binary:copy(<<0>>, 1 bsl 20)),
    false = port_command(Port, <<0>>, [nosuspend]),
    [{_, Counters}] = signal_port_table:workers(),
    ok = signal_port:init(),
    {1, 0} = {signal_port_counters:sent(Counters), signal_port_counters:taken(Counters)},
    ?STALLED = signal_port_stage:last_reason(),
    1 = signal_port_stage:restarts().

ends(StandIn, Sentence) ->
    ends(StandIn, [], [Sentence]).

ends(StandIn, Options, Sentences) ->
    start(StandIn, Options),
    [First] = signal_port_stage:os_pids(),
    {error, unavailable} = signal_port:init(),
    signal_port_stage:until_gone([First]),
    Reason = signal_port_stage:until(fun has_ended/0),
    WithoutNumber = re:replace(Reason, "OS process [0-9]+", "OS process N", [{return, list}]),
    {Reason, true} = {Reason, lists:member(WithoutNumber, Sentences)}.

has_ended() ->
    case signal_port_stage:last_reason() of
        undefined -> false;
        Reason -> Reason
    end.

%% --- The deadline ---

busy_worker_is_not_stalled(Config) ->
    File = signal_port_stage:switch(Config),
    start("slow_on_marker.py", [{stall_timeout, ?PATIENT}]),
    Slow = signal_port_stage:async(fun() -> signal_port:sha256(signal_port_stage:marker()) end),
    signal_port_stage:await_in_flight(1),
    ok = file:write_file(File, <<>>),
    {ok, _} = signal_port_stage:await(Slow),
    0 = signal_port_stage:restarts().

%% Three times the deadline is between two answers.
idle_worker_is_not_stalled(_) ->
    start("honest.py", [{stall_timeout, 60}]),
    ok = signal_port:init(),
    Since = erlang:monotonic_time(millisecond),
    signal_port_stage:until(fun() -> erlang:monotonic_time(millisecond) - Since > 180 end),
    ok = signal_port:init(),
    0 = signal_port_stage:restarts().

stopped_idle_worker_is_found_by_next_call(_) ->
    start("honest.py", [{stall_timeout, 300}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    ok = signal_port:init(),
    1 = signal_port_stage:restarts(),
    ?STALLED = signal_port_stage:last_reason(),
    signal_port_stage:until_gone([OsPid]).

call_on_full_pipe_times_out(_) ->
    start("reads_nothing.py", [{call_timeout, 400}, {stall_timeout, ?PATIENT}]),
    Data = binary:copy(<<0>>, 1 bsl 20),
    Call = fun(_) -> timer:tc(signal_port, sha256, [Data]) end,
    Took = signal_port_stage:in_parallel(20, Call),
    [{_, {error, timeout}} = One || One <- Took],
    [] = [Micros || {Micros, _} <- Took, Micros < 400_000 orelse Micros > 2_000_000],
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("KILL", OsPid).

late_answer_reaches_no_caller(Config) ->
    File = signal_port_stage:switch(Config),
    start("slow_on_marker.py", [{call_timeout, 100}, {stall_timeout, ?PATIENT}]),
    {error, timeout} = signal_port:sha256(signal_port_stage:marker()),
    ok = file:write_file(File, <<>>),
    signal_port_stage:await_in_flight(0),
    ok = signal_port:init(),
    {messages, []} = process_info(self(), messages),
    {monitors, []} = process_info(self(), monitors).

%% --- The OS process ends with its worker ---

killed_worker_leaves_no_os_process(_) ->
    start("ignores_term.py", []),
    [OsPid] = signal_port_stage:os_pids(),
    exit(signal_port_stage:pid(), kill),
    signal_port_stage:until_gone([OsPid]),
    "the worker's Erlang process was killed" = signal_port_stage:until(fun has_ended/0).

killed_watchdog_leaves_no_os_process(_) ->
    start("ignores_term.py", []),
    [OsPid] = signal_port_stage:os_pids(),
    {links, Links} = process_info(signal_port_stage:pid(), links),
    [Watchdog] = [Pid || Pid <- Links, is_pid(Pid), Pid =/= whereis(signal_port_worker_sup)],
    exit(Watchdog, kill),
    signal_port_stage:until_gone([OsPid]).

os_process_ignoring_term_is_killed(_) ->
    start("ignores_term.py", []),
    OsPids = signal_port_stage:os_pids(),
    ok = application:stop(signal_port),
    signal_port_stage:until_gone(OsPids).

unknown_messages_are_ignored(_) ->
    start("honest.py", []),
    Worker = signal_port_stage:pid(),
    [Worker ! Message || Message <- [hello, {self(), {data, <<>>}}, {make_ref(), ok},
                                     {'EXIT', self(), normal}]],
    gen_server:cast(signal_port_pool, hello),
    {error, badarg} = gen_server:call(Worker, hello),
    ok = signal_port:init(),
    Worker = signal_port_stage:pid().

%% The worker ends before it takes the calls in its mailbox.
late_calls_of_ended_worker_are_bystanders(_) ->
    start("honest.py", []),
    [{Worker, Counters}] = signal_port_table:workers(),
    ok = sys:suspend(Worker),
    ok = signal_port_worker:report_invalid_reply(Worker),
    Aliases = [monitor(process, Worker, [{alias, reply_demonitor}]) || _ <- [1, 2, 3]],
    Request = signal_port_secret:hide(signal_port_codec:request(init, [])),
    [ok = signal_port_worker:send(Worker, Counters, Alias, infinity, Request) || Alias <- Aliases],
    ok = sys:resume(Worker),
    [receive
         {Alias, Outcome} -> bystander = Outcome;
         {'DOWN', Alias, process, Worker, Reason} -> error({suspect, Reason})
     end || Alias <- Aliases].

%% --- Internals ---

start(StandIn, Options) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1} | Options]).
