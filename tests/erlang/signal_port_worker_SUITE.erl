%% A worker and what can go wrong on its other side. Each fault is a stand-in of tests/workers.
-module(signal_port_worker_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000). % milliseconds; for a time-out that is not to matter

all() ->
    [a_stand_in_can_be_honest, is_started_as_configured, takes_replies_cut_anywhere, answers_all_that_waited,
     keeps_no_long_answer,
     ends_a_worker_that_writes_garbage, ends_a_worker_that_answers_garbage, ends_a_worker_that_mixes_up_tags,
     takes_the_first_of_two_replies, ends_a_worker_that_speaks_unasked, ends_a_worker_that_leaves_half_a_frame,
     ends_a_worker_that_promises_4_gib, ends_a_worker_that_promises_1_gib, takes_an_answer_that_fills_a_frame,
     ends_a_worker_that_promises_a_byte_too_many, takes_what_came_before_a_lie, makes_no_atom_of_an_answer,
     ends_a_worker_that_exits, ends_a_worker_that_hangs, ends_a_worker_that_is_stopped,
     ends_a_worker_that_closes_its_pipe, ends_a_worker_that_does_not_read, a_busy_worker_is_no_stalled_one,
     an_idle_worker_is_no_stalled_one, a_stopped_idle_worker_is_found_at_its_next_call,
     times_out_on_a_full_pipe, caller_that_gave_up_gets_nothing_later, a_killed_process_leaves_no_os_process,
     a_killed_guard_leaves_no_os_process, an_os_process_that_ignores_term_is_killed, unknown_messages_do_no_harm].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

a_stand_in_can_be_honest(_) ->
    start("honest.py", []),
    ok = signal_port:init(),
    {ok, <<16#BA7816BF:32, _:28/binary>>} = signal_port:sha256(<<"abc">>),
    undefined = signal_port_stage:last_reason().

%% The path of the Python side depends on where this is installed; what follows it does not.
is_started_as_configured(_) ->
    start("tells_its_start.py", [{max_frame, 20_000}, {busy_wait, 77}]),
    {ok, Told} = signal_port:sha256(<<>>),
    [Tunables | Arguments] = string:split(Told, "\n", all),
    [<<"-I">>, <<"-B">>, Path, <<"worker">>, <<"20000">>, <<"77">>] = Arguments,
    <<"signal_port">> = filename:basename(Path),
    <<"glibc.malloc.hugetlb=1">> = Tunables.

takes_replies_cut_anywhere(_) ->
    start("one_byte_at_a_time.py", []),
    Hash = fun(_) -> signal_port:sha256(<<"abc">>) end,
    [{ok, <<16#BA7816BF:32, _:28/binary>>} = Answer || Answer <- signal_port_stage:in_parallel(20, Hash)],
    0 = signal_port_stage:restarts().

%% The calls that a worker finds in its queue go to the other side in one write, in their order.
answers_all_that_waited(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Worker = signal_port_stage:pid(),
    Hash = fun(Number) -> signal_port:sha256(binary:copy(<<Number>>, 1000 * (Number rem 30))) end,
    Expected = [Hash(Number) || Number <- lists:seq(1, 200)],
    ok = sys:suspend(Worker),
    Callers = [called(fun() -> Hash(Number) end) || Number <- lists:seq(1, 200)],
    signal_port_stage:until(fun() -> process_info(Worker, message_queue_len) =:= {message_queue_len, 200} end),
    ok = sys:resume(Worker),
    Expected = [answer(Caller) || Caller <- Callers],
    0 = signal_port_stage:restarts().

%% An idle process is not collected by itself, so it would keep the last long answer, and its pieces, for ever.
keeps_no_long_answer(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Before = erlang:memory(binary),
    Call = fun() -> {ok, _, _} = signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, <<0:(32 bsl 23)>>, <<>>, 16) end,
    {_, Monitor} = spawn_monitor(Call),
    receive {'DOWN', Monitor, process, _, normal} -> ok end,
    signal_port_stage:until(fun() -> erlang:memory(binary) - Before < 8 bsl 20 end).

%% --- Each fault ends the worker, and never gives a wrong answer ---

ends_a_worker_that_writes_garbage(_) ->
    ends("garbage_reply.py", "the worker sent invalid protocol data").

ends_a_worker_that_answers_garbage(_) ->
    ends("garbage_answer.py", "the worker sent invalid protocol data").

ends_a_worker_that_mixes_up_tags(_) ->
    ends("wrong_tag.py", "the worker sent invalid protocol data").

takes_the_first_of_two_replies(_) ->
    start("replies_twice.py", []),
    ok = signal_port:init(),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun has_ended/0),
    ok = signal_port:init().

ends_a_worker_that_speaks_unasked(_) ->
    start("unasked_frame.py", []),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun has_ended/0).

ends_a_worker_that_leaves_half_a_frame(_) ->
    ends("half_a_frame.py", "the worker ended with status 5").

%% The header is enough: were the bytes waited for, the call would time out long before the worker had stalled.
ends_a_worker_that_promises_4_gib(_) ->
    ends("oversized_header.py", [{stall_timeout, ?PATIENT}], ["the worker sent invalid protocol data"]).

ends_a_worker_that_promises_1_gib(_) ->
    ends("oversized_frame.py", [{stall_timeout, ?PATIENT}], ["the worker sent invalid protocol data"]).

takes_an_answer_that_fills_a_frame(_) ->
    start("fills_a_frame.py", [{max_frame, 100_000}]),
    {ok, Long} = signal_port:sha256(<<>>),
    99_983 = byte_size(Long),
    0 = signal_port_stage:restarts().

ends_a_worker_that_promises_a_byte_too_many(_) ->
    start("fills_a_frame.py", [{max_frame, 100_000}, {stall_timeout, ?PATIENT}]),
    {error, unavailable} = signal_port:sha256(signal_port_stage:marker()),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun has_ended/0).

%% Or a caller whose answer was there would be the suspect, in the place of the one behind it.
takes_what_came_before_a_lie(_) ->
    start("answers_then_lies.py", [{stall_timeout, ?PATIENT}]),
    ok = signal_port:init(),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun has_ended/0).

makes_no_atom_of_an_answer(_) ->
    start("unknown_atom.py", []),
    Name = binary:encode_hex(rand:bytes(8)),
    {error, unavailable} = signal_port:sha256(Name),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun has_ended/0),
    try binary_to_existing_atom(Name) of
        Atom -> error({made, Atom})
    catch
        error:badarg -> ok
    end.

ends_a_worker_that_exits(_) ->
    ends("exits_on_call.py", "the worker ended with status 6").

ends_a_worker_that_hangs(_) ->
    ends("hangs.py", [{stall_timeout, 200}], ["the worker had requests and sent no reply within stall_timeout"]).

ends_a_worker_that_is_stopped(_) ->
    ends("stops_itself.py", [{stall_timeout, 200}], ["the worker had requests and sent no reply within stall_timeout"]).

ends_a_worker_that_closes_its_pipe(_) ->
    ends("closes_its_pipe.py", [{stall_timeout, 500}],
         ["the worker's pipe was closed", "the worker had requests and sent no reply within stall_timeout"]).

ends_a_worker_that_does_not_read(_) ->
    start("reads_nothing.py", [{stall_timeout, 300}]),
    Call = fun(_) -> signal_port:sha256(binary:copy(<<0>>, 1 bsl 20)) end,
    [{error, unavailable} = Answer || Answer <- signal_port_stage:in_parallel(5, Call)],
    "the worker had requests and sent no reply within stall_timeout" = signal_port_stage:until(fun has_ended/0).

ends(StandIn, Sentence) ->
    ends(StandIn, [], [Sentence]).

ends(StandIn, Options, Sentences) ->
    start(StandIn, Options),
    [First] = signal_port_stage:os_pids(),
    {error, unavailable} = signal_port:init(),
    signal_port_stage:until_gone([First]),
    Reason = signal_port_stage:until(fun has_ended/0),
    {Reason, true} = {Reason, lists:member(Reason, Sentences)}.

has_ended() ->
    case signal_port_stage:last_reason() of
        undefined -> false;
        Reason -> Reason
    end.

%% --- The deadline ---

a_busy_worker_is_no_stalled_one(Config) ->
    File = signal_port_stage:switch(Config),
    start("slow_on_marker.py", [{stall_timeout, ?PATIENT}]),
    Slow = called(fun() -> signal_port:sha256(signal_port_stage:marker()) end),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 1 end),
    ok = file:write_file(File, <<>>),
    {ok, _} = answer(Slow),
    0 = signal_port_stage:restarts().

%% Two answers come, with three times the deadline between them.
an_idle_worker_is_no_stalled_one(_) ->
    start("honest.py", [{stall_timeout, 60}]),
    ok = signal_port:init(),
    Since = erlang:monotonic_time(millisecond),
    signal_port_stage:until(fun() -> erlang:monotonic_time(millisecond) - Since > 180 end),
    ok = signal_port:init(),
    0 = signal_port_stage:restarts().

a_stopped_idle_worker_is_found_at_its_next_call(_) ->
    start("honest.py", [{stall_timeout, 300}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    ok = signal_port:init(),
    1 = signal_port_stage:restarts(),
    "the worker had requests and sent no reply within stall_timeout" = signal_port_stage:last_reason(),
    signal_port_stage:until_gone([OsPid]).

times_out_on_a_full_pipe(_) ->
    start("reads_nothing.py", [{call_timeout, 400}, {stall_timeout, ?PATIENT}]),
    Data = binary:copy(<<0>>, 1 bsl 20),
    Took = signal_port_stage:in_parallel(20, fun(_) -> timer:tc(fun() -> signal_port:sha256(Data) end) end),
    [{_, {error, timeout}} = One || One <- Took],
    [] = [Micros || {Micros, _} <- Took, Micros < 400_000 orelse Micros > 2_000_000],
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("KILL", OsPid).

caller_that_gave_up_gets_nothing_later(Config) ->
    File = signal_port_stage:switch(Config),
    start("slow_on_marker.py", [{call_timeout, 100}, {stall_timeout, ?PATIENT}]),
    {error, timeout} = signal_port:sha256(signal_port_stage:marker()),
    ok = file:write_file(File, <<>>),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 0 end),
    ok = signal_port:init(),
    {messages, []} = process_info(self(), messages),
    {monitors, []} = process_info(self(), monitors).

%% --- However a worker ends, its OS process does ---

a_killed_process_leaves_no_os_process(_) ->
    start("ignores_term.py", []),
    [OsPid] = signal_port_stage:os_pids(),
    exit(signal_port_stage:pid(), kill),
    signal_port_stage:until_gone([OsPid]),
    "the worker's Erlang process was killed" = signal_port_stage:until(fun has_ended/0).

a_killed_guard_leaves_no_os_process(_) ->
    start("ignores_term.py", []),
    [OsPid] = signal_port_stage:os_pids(),
    {links, Links} = process_info(signal_port_stage:pid(), links),
    [Guard] = [Pid || Pid <- Links, is_pid(Pid), Pid =/= whereis(signal_port_worker_sup)],
    exit(Guard, kill),
    signal_port_stage:until_gone([OsPid]).

an_os_process_that_ignores_term_is_killed(_) ->
    start("ignores_term.py", []),
    OsPids = signal_port_stage:os_pids(),
    ok = application:stop(signal_port),
    signal_port_stage:until_gone(OsPids).

unknown_messages_do_no_harm(_) ->
    start("honest.py", []),
    Worker = signal_port_stage:pid(),
    [Worker ! Message || Message <- [hello, {self(), {data, <<>>}}, {make_ref(), ok}, {'EXIT', self(), normal}]],
    gen_server:cast(signal_port_pool, hello),
    {error, badarg} = gen_server:call(Worker, hello),
    ok = signal_port:init(),
    Worker = signal_port_stage:pid().

%% --- Internals ---

start(StandIn, Options) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1} | Options]).

called(Fun) ->
    Parent = self(),
    spawn_link(fun() -> Parent ! {self(), Fun()} end).

answer(Pid) ->
    receive {Pid, Answer} -> Answer after 15_000 -> error(no_answer) end.
