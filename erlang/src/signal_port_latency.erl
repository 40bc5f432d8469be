%% @private The times of calls by operation, while `signal_port:top/0' runs. A time falls into one
%% of eight buckets for each factor of two, so a percentile is right within 5 %.
%%
%% The table belongs to the process that shows it, and is gone when that process ends. Calls look at
%% a persistent term, because that is several times faster than to look for a table or a name. If
%% the process was killed, the next call removes the term.
-module(signal_port_latency).

-export([new/0, delete/0, has_table/0, is_on/0, add/2, take/0]).
-export_type([summary/0]).

-define(PER_OCTAVE, 8).  % buckets for each factor of two

-type summary() :: {Operation :: atom(), Calls :: pos_integer(), P50 :: float(), P99 :: float()}.
%% Percentiles are in microseconds.

%% @doc Makes the table. It belongs to the calling process.
-spec new() -> ok.
new() ->
    ?MODULE = ets:new(?MODULE, [named_table, public, {write_concurrency, true}]),
    persistent_term:put(?MODULE, on).

%% @doc Removes the table.
-spec delete() -> ok.
delete() ->
    _ = persistent_term:erase(?MODULE),
    true = ets:delete(?MODULE),
    ok.

%% @doc Returns whether there is a table.
-spec has_table() -> boolean().
has_table() ->
    ets:whereis(?MODULE) =/= undefined.

%% @doc Returns whether calls are to be timed.
-spec is_on() -> boolean().
is_on() ->
    persistent_term:get(?MODULE, off) =:= on.

%% @doc Adds the time of a call, in native units.
-spec add(Operation :: atom(), Duration :: non_neg_integer()) -> ok.
add(Operation, Duration) ->
    Key = {Operation, bucket(erlang:convert_time_unit(Duration, native, nanosecond) / 1000)},
    try ets:update_counter(?MODULE, Key, 1, {Key, 0}) of
        _ -> ok
    catch
        error:badarg ->
            _ = persistent_term:erase(?MODULE),
            ok
    end.

bucket(Microseconds) ->
    floor(?PER_OCTAVE * math:log2(max(1, Microseconds))).

%% @doc Removes all times and returns what they were, by operation.
-spec take() -> [summary()].
take() ->
    Keys = lists:usort([Key || {Key, _} <- ets:tab2list(?MODULE)]),
    Counts = [{Key, Count} || Key <- Keys, {_, Count} <- ets:take(?MODULE, Key)],
    [summary(Operation, [{Bucket, Count} || {{Its, Bucket}, Count} <- Counts, Its =:= Operation])
     || Operation <- lists:usort([Operation || {{Operation, _}, _} <- Counts])].

summary(Operation, Counts) ->
    Calls = lists:sum([Count || {_, Count} <- Counts]),
    {Operation, Calls, percentile(0.5 * Calls, Counts), percentile(0.99 * Calls, Counts)}.

%% The buckets are sorted. The time is the middle of the bucket.
percentile(Rank, [{_, Count} | Counts]) when Rank > Count, Counts =/= [] ->
    percentile(Rank - Count, Counts);
percentile(_Rank, [{Bucket, _} | _]) ->
    math:pow(2, (Bucket + 0.5) / ?PER_OCTAVE).
