%% @private Known crashes and faults of NIFs, the JIT and OTP: each with its cause, a remedy, the
%% OTP versions it holds for and its source.
%%
%% A row is advice only on a machine where it can happen. To add one, name a public source.
-module(signal_port_known_crash).

-export([rows/0, describe/2]).
-export_type([row/0]).

-type row() :: #{
    id := atom(),
    can_happen := fun((signal_port_machine:facts()) -> boolean()),
    seen := string(),
    cause := string(),
    remedy := string(),
    otp := string(),
    source := string()
}.

%% @doc Returns a sentence for each known crash that can happen on a machine. `error' selects
%% faults that return an error instead of a crash.
-spec describe(crash | error, signal_port_machine:facts()) -> [string()].
describe(Kind, Facts) ->
    [sentence(Row) || #{can_happen := CanHappen} = Row <- rows(), kind(Row) =:= Kind,
                      CanHappen(Facts)].

sentence(#{seen := Seen, cause := Cause, remedy := Remedy, otp := Otp, source := Source}) ->
    signal_port_sentence:format("Known: ~s. Cause: ~s. Remedy: ~s (OTP ~s; ~s).",
                                [Seen, Cause, Remedy, Otp, Source]).

kind(#{id := crypto_openssl}) -> error;
kind(_) -> crash.

%% @doc Returns the table.
-spec rows() -> [row()].
rows() ->
    [#{id => qemu_user_25,
       can_happen => fun(#{version := [Release | _]} = Facts) ->
           emulated_jit(Facts) andalso Release =< 25
       end,
       seen => "SIGSEGV of erl at its start or at a NIF, under qemu-user or Docker's emulation",
       cause => "the JIT maps its memory twice",
       remedy => "start erl with +JPperf map",
       otp => "25",
       source => "docker-erlang-otp#400, otp#6340"},
     #{id => qemu_user,
       can_happen => fun(#{version := [Release | _]} = Facts) ->
           emulated_jit(Facts) andalso Release >= 26
       end,
       seen => "SIGSEGV of erl at its start or at a NIF, under qemu-user or Docker's emulation",
       cause => "the JIT maps its memory twice",
       remedy => "start erl with +JMsingle true",
       otp => "26 and later",
       source => "docker-erlang-otp#400, otp#6340"},
     #{id => macos_14,
       can_happen => fun(#{os := Os, version := Version} = Facts) ->
           Os =:= darwin andalso arm64_jit(Facts)
               andalso (Version < [25, 3, 2, 7] orelse [26] =< Version andalso Version < [26, 1, 1])
       end,
       seen => "a crash on macOS 14 on Apple silicon",
       cause => "the JIT",
       remedy => "use OTP 25.3.2.7, 26.1.1 or later",
       otp => "before 25.3.2.7, and 26 before 26.1.1",
       source => "otp#7687"},
     #{id => cache_maintenance,
       can_happen => fun(#{os := Os, distribution := Distribution} = Facts) ->
           arm64_jit(Facts)
               andalso (Os =:= freebsd orelse string:equal(Distribution, "openeuler", true))
       end,
       seen => "a fault in `dc cvau' on FreeBSD, and on openEuler with OTP 28.4",
       cause => "the system does not let the JIT maintain the instruction cache",
       remedy => "start erl with +JMsingle true",
       otp => "26 and later",
       source => "otp#5817, otp#11015"},
     #{id => wrong_value,
       can_happen => fun(#{version := Version} = Facts) ->
           arm64_jit(Facts) andalso Version =:= [27, 0]
       end,
       seen => "a NIF gets wrong values on AArch64",
       cause => "the JIT",
       remedy => "use a final release of OTP 27",
       otp => "27.0-rc2",
       source => "otp#8433"},
     #{id => wrong_code,
       can_happen => fun arm64_jit/1,
       seen => "wrong code in rare cases on AArch64",
       cause => "the JIT",
       remedy => "use the newest patch of your OTP release",
       otp => "patches from before July 2026",
       source => "otp#11299"},
     #{id => android,
       can_happen => fun(#{android := IsAndroid}) -> IsAndroid end,
       seen => "no NIF loads on Android",
       cause => "its linker",
       remedy => "use the port",
       otp => "any",
       source => "otp#3196"},
     #{id => jiffy,
       can_happen => fun(#{jiffy := Version}) -> lists:prefix("2.0", Version) end,
       seen => "SIGSEGV with jiffy 2.0 in the same VM",
       cause => "a bug of jiffy 2.0",
       remedy => "use another release of jiffy",
       otp => "reported for 27.3.4.11",
       source => "otp#11310, jiffy#303"},
     #{id => crypto_openssl,
       can_happen => fun(_) -> true end,
       seen => "OTP's crypto does not load: an error and no crash",
       cause => "it was built for another OpenSSL",
       remedy => "install the OpenSSL that this OTP was built with, or build OTP again",
       otp => "any",
       source => "otp#8290"}].

arm64_jit(#{arm64 := IsArm64, jit := HasJit}) -> IsArm64 andalso HasJit.

emulated_jit(#{emulated := IsEmulated, jit := HasJit}) -> IsEmulated andalso HasJit.
