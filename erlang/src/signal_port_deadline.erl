%% @private Deadlines: points in monotonic time, in milliseconds.
-module(signal_port_deadline).

-export([now_ms/0, from_timeout/1, remaining/1, has_passed/1]).
-export_type([deadline/0]).

-type deadline() :: infinity | integer().

%% @doc Returns the monotonic time in milliseconds.
-spec now_ms() -> integer().
now_ms() ->
    erlang:monotonic_time(millisecond).

%% @doc Returns the deadline that is a timeout, in milliseconds, away.
-spec from_timeout(timeout()) -> deadline().
from_timeout(infinity) -> infinity;
from_timeout(Milliseconds) -> now_ms() + Milliseconds.

%% @doc Returns the milliseconds until a deadline; 0 if it has passed.
-spec remaining(deadline()) -> timeout().
remaining(infinity) -> infinity;
remaining(Deadline) -> max(0, Deadline - now_ms()).

-spec has_passed(deadline()) -> boolean().
has_passed(Deadline) ->
    remaining(Deadline) =:= 0.
