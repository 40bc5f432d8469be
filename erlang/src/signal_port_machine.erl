%% @private What this machine is: facts that decide which known crashes can happen here.
%%
%% `facts/0' reads the machine. The functions behind it are pure and take what was read.
-module(signal_port_machine).

-export([facts/0, is_arm64/1, is_emulated/2, libc/1, jit_memory/2, version/1]).
-export_type([facts/0]).

-type facts() :: #{
    architecture := string(),     % as erlang:system_info/1 returns it
    arm64 := boolean(),
    os := atom(),                 % linux, darwin, freebsd, ...
    distribution := string(),     % the ID of /etc/os-release, or ""
    libc := glibc | musl | other,
    nix := boolean(),
    android := boolean(),
    emulated := boolean(),        % by qemu-user
    otp := string(),              % the release, for example "27"
    version := [integer()],       % the full version, for example [27, 3, 4]; [27] if unknown
    jit := boolean(),
    jit_memory := none | single | double,
    jiffy := string()             % the release of jiffy on the code path, or ""
}.

%% @doc Returns the facts of this machine and this VM.
-spec facts() -> facts().
facts() ->
    Architecture = erlang:system_info(system_architecture),
    Release = erlang:system_info(otp_release),
    {_, Os} = os:type(),
    #{architecture => Architecture,
      arm64 => is_arm64(Architecture),
      os => Os,
      distribution => distribution(read("/etc/os-release")),
      libc => libc(read("/proc/self/maps")),
      nix => lists:prefix("/nix/store/", code:root_dir()) orelse filelib:is_regular("/etc/NIXOS"),
      android => os:getenv("ANDROID_ROOT") =/= false,
      emulated => is_emulated(Architecture, read("/proc/cpuinfo")),
      otp => Release,
      version => version(otp_version(Release)),
      jit => erlang:system_info(emu_flavor) =:= jit,
      jit_memory => jit_memory(erlang:system_info(emu_flavor), read("/proc/self/cmdline")),
      jiffy => jiffy()}.

-spec is_arm64(Architecture :: string()) -> boolean().
is_arm64("aarch64" ++ _) -> true;
is_arm64("arm64" ++ _) -> true;
is_arm64(_) -> false.

%% @doc Returns whether qemu-user runs this VM. It shows the processor of the host: an x86 one has
%% a `vendor_id', which no ARM64 one has. Emulation of x86-64 is not recognised.
-spec is_emulated(Architecture :: string(), CpuInfo :: binary()) -> boolean().
is_emulated(Architecture, CpuInfo) ->
    is_arm64(Architecture) andalso has(CpuInfo, "^vendor_id").

%% @doc Returns the C library among the files that this VM has mapped.
-spec libc(Maps :: binary()) -> glibc | musl | other.
libc(Maps) ->
    case {has(Maps, "/ld-musl-|/libc\\.musl-"), has(Maps, "/libc\\.so\\.6|/libc-2\\.")} of
        {true, _} -> musl;
        {false, true} -> glibc;
        {false, false} -> other
    end.

%% @doc Returns how the JIT maps its memory, as `+JMsingle' or `+JPperf' in this VM's command line
%% says. The emulator's flags end at the first "--".
-spec jit_memory(jit | emu, CommandLine :: binary()) -> none | single | double.
jit_memory(emu, _) ->
    none;
jit_memory(jit, CommandLine) ->
    [Flags | _] = binary:split(CommandLine, <<0, "--", 0>>),
    case has(<<Flags/binary, 0>>, "\\0-JMsingle\\0true\\0|\\0-JPperf\\0(map|true)\\0") of
        true -> single;
        false -> double
    end.

%% @doc Returns the numbers of a version, up to the first that is none.
-spec version(string()) -> [integer()].
version(Version) ->
    Parts = [string:to_integer(Part) || Part <- string:lexemes(Version, ".")],
    [N || {N, _} <- lists:takewhile(fun({Number, _}) -> is_integer(Number) end, Parts)].

%% A release that was built by relx has no OTP_VERSION.
otp_version(Release) ->
    File = filename:join([code:root_dir(), "releases", Release, "OTP_VERSION"]),
    case read(File) of
        <<>> -> Release;
        Version -> string:trim(binary_to_list(Version))
    end.

distribution(OsRelease) ->
    case re:run(OsRelease, "^ID=\"?([^\"\\n]*)", [multiline, {capture, [1], list}]) of
        {match, [Id]} -> Id;
        nomatch -> ""
    end.

jiffy() ->
    case code:where_is_file("jiffy.app") of
        non_existing ->
            "";
        File ->
            {ok, [{application, jiffy, Keys}]} = file:consult(File),
            proplists:get_value(vsn, Keys, "")
    end.

read(File) ->
    case file:read_file(File) of
        {ok, Bytes} -> Bytes;
        {error, _} -> <<>>
    end.

has(Bytes, Pattern) ->
    re:run(Bytes, Pattern, [multiline]) =/= nomatch.
