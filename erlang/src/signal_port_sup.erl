%% @private The supervisors. The upper one owns the pool, the workers' supervisor, the gate and the
%% table that callers read. Pool and workers restart together, because a new pool knows no worker of
%% an old one. The table outlives that restart.
-module(signal_port_sup).
-behaviour(supervisor).

-export([start_link/1, start_link/2, init/1]).

-type upper() :: {signal_port_config:config(), signal_port_backend:choice(),
                  [{Operation :: atom(), module()}]}.

%% @doc Starts the application's supervisor with these options. Returns one sentence if an option
%% is wrong, the backend cannot be used or no worker can start.
-spec start_link([{atom(), term()}]) ->
    supervisor:startlink_ret() | {error, Sentence :: string()}.
start_link(Options) ->
    signal_port_event:show_in_default_handler(proplists:get_value(log, Options) =/= none),
    case signal_port_config:check(Options) of
        {ok, Config} -> start_checked(Config, signal_port_distribution:check(Config));
        {error, Sentence} -> {error, Sentence}
    end.

start_checked(Config, ok) ->
    start_backend(Config, signal_port_backend:choose(Config));
start_checked(_Config, {error, Sentence}) ->
    {error, Sentence}.

start_backend(Config, {ok, Choice, Operations}) ->
    case start_link(signal_port_sup, {Config, Choice, Operations}) of
        {ok, Supervisor} -> stop_if_failed(Supervisor, signal_port_table:failure());
        Error -> Error
    end;
start_backend(_Config, {error, Sentence}) ->
    {error, Sentence}.

stop_if_failed(Supervisor, none) ->
    {ok, Supervisor};
stop_if_failed(Supervisor, Sentence) ->
    unlink(Supervisor),
    ok = proc_lib:stop(Supervisor, shutdown, infinity),
    {error, Sentence}.

%% @doc Starts the upper or the lower supervisor under its name.
-spec start_link(atom(), upper() | workers) -> supervisor:startlink_ret().
start_link(Name, Args) ->
    supervisor:start_link({local, Name}, ?MODULE, Args).

-spec init(upper() | workers) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init({Config, Choice, Operations}) ->
    lists:foreach(fun await_end/1, [signal_port_gate, signal_port_pool, signal_port_worker_sup,
                                    signal_port_cluster_sup]),
    signal_port_table:new(Config, Choice, Operations),
    Flags = #{strategy => one_for_all, intensity => 5, period => 10},
    Workers = #{id => signal_port_worker_sup, type => supervisor,
                start => {?MODULE, start_link, [signal_port_worker_sup, workers]}},
    Pool = #{id => signal_port_pool, start => {signal_port_pool, start_link, [Config]}},
    Children = [Workers, Pool | signal_port_cluster_sup:child_specs(Config)],
    Gate = #{id => signal_port_gate, shutdown => infinity,  % it limits its time itself
             start => {signal_port_gate, start_link, [[Name || #{id := Name} <- Children]]}},
    {ok, {Flags, Children ++ [Gate]}};
init(workers) ->
    %% The pool decides when the next worker starts, so this supervisor restarts none.
    Worker = #{id => signal_port_worker, restart => temporary, shutdown => 5000,
               start => {signal_port_worker, start_link, []}},
    {ok, {#{strategy => simple_one_for_one}, [Worker]}}.

%% Children of an upper supervisor that was killed keep their names until they have ended.
await_end(Name) ->
    case whereis(Name) of
        undefined ->
            ok;
        Pid ->
            Monitor = monitor(process, Pid),
            receive {'DOWN', Monitor, process, Pid, _} -> ok end
    end.
