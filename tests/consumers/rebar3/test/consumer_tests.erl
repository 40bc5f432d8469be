-module(consumer_tests).

-include_lib("eunit/include/eunit.hrl").

check_test() -> ok = consumer:check().
