%% @private The supervisors: one for the pool and the workers' supervisor, and that one. Pool and workers stand and fall
%% together: a new pool knows nothing of the workers of an old one. The table that callers read belongs to the upper
%% supervisor, so that callers find it while the pool is started anew.
-module(signal_port_sup).
-behaviour(supervisor).

-export([start_link/1, start_link/2, init/1]).

-spec start_link([{atom(), term()}]) -> supervisor:startlink_ret() | {error, Sentence :: string()}.
start_link(Options) ->
    signal_port_event:make_visible(),
    case signal_port_config:check(Options) of
        {ok, Config} ->
            case signal_port_backend:choose(Config) of
                {ok, Choice, Operations} -> start_link(signal_port_sup, {pool, Config, Choice, Operations});
                {error, Sentence} -> {error, Sentence}
            end;
        {error, Sentence} ->
            {error, Sentence}
    end.

%% The upper and the lower supervisor by their names.
-spec start_link(atom(), term()) -> supervisor:startlink_ret().
start_link(Name, Args) ->
    supervisor:start_link({local, Name}, ?MODULE, Args).

-spec init({pool, signal_port_config:config(), signal_port_backend:choice(), [{atom(), module()}]} | workers) ->
    {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init({pool, Config, Choice, Operations}) ->
    [await_end(whereis(Name)) || Name <- [signal_port_pool, signal_port_worker_sup]],
    signal_port_table:new(Config, Choice, Operations),
    Flags = #{strategy => one_for_all, intensity => 5, period => 10},
    {ok, {Flags, [
        #{id => signal_port_worker_sup, type => supervisor,
          start => {?MODULE, start_link, [signal_port_worker_sup, workers]}},
        #{id => signal_port_pool, start => {signal_port_pool, start_link, [Config]}}
    ]}};
init(workers) ->
    %% The pool decides when a worker is followed by another, so none is restarted here.
    Flags = #{strategy => simple_one_for_one},
    {ok, {Flags, [
        #{id => signal_port_worker, restart => temporary, shutdown => 5000,
          start => {signal_port_worker, start_link, []}}
    ]}}.

%% What an upper supervisor that was killed has left is ending, and has the names still.
await_end(undefined) ->
    ok;
await_end(Pid) ->
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end.
