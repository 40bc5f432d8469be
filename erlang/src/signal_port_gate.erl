%% @private The gate: at a stop it closes before the workers end. New calls then return
%% `{error, unavailable}', and the calls in flight have time to be answered. Pool and workers run on
%% meanwhile, so that a call whose worker is lost is tried again.
%%
%% The gate is the last child of its supervisor, which ends children in reverse order.
-module(signal_port_gate).
-behaviour(gen_server).

-export([start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, terminate/2]).

-define(GRACE, 5000).  % milliseconds at most, as OTP gives a worker at its shutdown
-define(LOOK, 10).     % milliseconds between two looks at the calls in flight
-define(LOOKS, 2).     % without a call: a call that goes to another worker is not counted between

%% @doc Starts the gate and opens the table. The names are those of all other children.
-spec start_link(Siblings :: [atom()]) -> gen_server:start_ret().
start_link(Siblings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Siblings, []).

%% --- gen_server ---

-spec init(Siblings :: [atom()]) -> {ok, Siblings :: [atom()]}.
init(Siblings) ->
    process_flag(trap_exit, true),
    signal_port_table:open(),
    {ok, Siblings}.

-spec handle_call(term(), gen_server:from(), [atom()]) -> {reply, {error, badarg}, [atom()]}.
handle_call(_, _From, Siblings) ->
    {reply, {error, badarg}, Siblings}.

-spec handle_cast(term(), [atom()]) -> {noreply, [atom()]}.
handle_cast(_, Siblings) ->
    {noreply, Siblings}.

%% The supervisor also ends the gate to restart all children after one of them was lost. Calls wait
%% for that restart.
-spec terminate(term(), [atom()]) -> ok.
terminate(shutdown, Siblings) ->
    lists:member(undefined, lists:map(fun whereis/1, Siblings)) orelse close(),
    ok;
terminate(_, _Siblings) ->
    ok.

close() ->
    signal_port_table:close(),
    await_answers(signal_port_deadline:from_timeout(?GRACE), ?LOOKS).

await_answers(_Deadline, 0) ->
    ok;
await_answers(Deadline, Looks) ->
    case {signal_port_pool:in_flight(), signal_port_deadline:has_passed(Deadline)} of
        {0, _} -> look_again(Deadline, Looks - 1);
        {_, false} -> look_again(Deadline, ?LOOKS);
        {InFlight, true} -> signal_port_event:cut_off(InFlight, ?GRACE)
    end.

look_again(Deadline, Looks) ->
    timer:sleep(?LOOK),
    await_answers(Deadline, Looks).
