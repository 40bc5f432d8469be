-module(consumer_app).
-behaviour(application).
-behaviour(supervisor).

-export([start/2, stop/1, init/1, start_and_check/0]).

start(_Type, _Args) -> supervisor:start_link(?MODULE, []).

stop(_State) -> ok.

init([]) ->
    Options = [{python, "/opt/venv/bin/python3"}, {pool_size, 1}],
    {ok, {#{}, [signal_port:child_spec(Options)]}}.

%% @doc For `erl -s': the pool lives and ends with this application, and signal_port never starts.
-spec start_and_check() -> ok.
start_and_check() ->
    {ok, _} = application:ensure_all_started(consumer),
    false = lists:keymember(signal_port, 1, application:which_applications()),
    #{workers := [#{os_pid := _}]} = signal_port:info(),
    ok = consumer:check(signal_port, signal_port),
    ok = application:stop(consumer),
    undefined = whereis(signal_port_pool),
    init:stop().
