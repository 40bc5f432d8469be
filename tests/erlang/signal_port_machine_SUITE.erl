%% The facts of a machine, from what it shows, and the table of known crashes that they decide on.
-module(signal_port_machine_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, facts}, {group, known_crashes}].

groups() ->
    [{facts, [this_vm_is_described, architectures_are_told_apart, x86_processor_below_arm64_is_qemu,
              libc_is_read_from_the_maps, versions_are_numbers_up_to_a_word,
              single_mapped_jit_is_seen, jit_flag_is_no_argument_of_the_user]},
     {known_crashes, [row_is_advice_where_it_can_happen, row_has_a_public_source,
                      healthy_debian_gets_no_row, refused_crypto_gets_the_openssl_row,
                      every_row_takes_every_machine]}].

%% --- Facts ---

this_vm_is_described(_) ->
    #{architecture := Architecture, otp := Release, os := Os, version := [Major | _]} =
        signal_port_machine:facts(),
    {Architecture, Release} =
        {erlang:system_info(system_architecture), erlang:system_info(otp_release)},
    {Os, Major} = {element(2, os:type()), list_to_integer(Release)}.

architectures_are_told_apart(_) ->
    [true, true, true, false, false] =
        [signal_port_machine:is_arm64(Architecture)
         || Architecture <- ["aarch64-unknown-linux-gnu", "arm64-apple-darwin22.6.0",
                             "aarch64-apple-darwin", "x86_64-pc-linux-gnu", "armv7l-linux"]].

x86_processor_below_arm64_is_qemu(_) ->
    X86 = <<"processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n">>,
    Arm = <<"processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n">>,
    [true, false, false, false] =
        [signal_port_machine:is_emulated(Architecture, CpuInfo)
         || {Architecture, CpuInfo} <- [{"aarch64-unknown-linux-gnu", X86},
                                        {"aarch64-unknown-linux-gnu", Arm},
                                        {"aarch64-apple-darwin", <<>>},
                                        {"x86_64-pc-linux-gnu", X86}]].

libc_is_read_from_the_maps(_) ->
    [musl, glibc, glibc, other] =
        [signal_port_machine:libc(Maps)
         || Maps <- [<<"7f00-7f01 r-xp 0 0:0 1 /lib/ld-musl-x86_64.so.1\n">>,
                     <<"7f00-7f01 r-xp 0 0:0 1 /usr/lib/x86_64-linux-gnu/libc.so.6\n">>,
                     <<"7f00-7f01 r-xp 0 0:0 1 /lib/x86_64-linux-gnu/libc-2.31.so\n">>,
                     <<>>]].

versions_are_numbers_up_to_a_word(_) ->
    [[25, 3, 2, 7], [27, 0], [28], []] =
        [signal_port_machine:version(Version)
         || Version <- ["25.3.2.7", "27.0-rc2", "28", "master"]].

single_mapped_jit_is_seen(_) ->
    [single, single, single, double, double] =
        [signal_port_machine:jit_memory(jit, command_line(Flags))
         || Flags <- [["-JMsingle", "true"], ["-JPperf", "map"], ["-JPperf", "true"],
                      ["-JMsingle", "false"], []]],
    none = signal_port_machine:jit_memory(emu, command_line([])).

%% What stands behind the first "--" is not for the emulator.
jit_flag_is_no_argument_of_the_user(_) ->
    double = signal_port_machine:jit_memory(jit, command_line(["--", "-JMsingle", "true"])).

command_line(Flags) ->
    Parts = ["/usr/lib/erlang/beam.smp"] ++ Flags ++ ["--", "-root"],
    iolist_to_binary([[Part, 0] || Part <- Parts]).

%% --- Known crashes ---

row_is_advice_where_it_can_happen(_) ->
    [] = [{Id, Facts} || {Id, Facts} <- examples(), not lists:member(Id, happening(Facts))].

examples() ->
    Arm = (debian())#{arm64 => true},
    [{qemu_user_25, Arm#{emulated => true, version => [25, 2, 3]}},
     {qemu_user, Arm#{emulated => true, version => [27, 3]}},
     {macos_14, Arm#{os => darwin, version => [25, 3, 2, 6]}},
     {macos_14, Arm#{os => darwin, version => [26, 1, 0]}},
     {cache_maintenance, Arm#{os => freebsd}},
     {cache_maintenance, Arm#{distribution => "openEuler", version => [28, 4]}},
     {wrong_value, Arm#{version => [27, 0]}},
     {wrong_code, Arm},
     {android, Arm#{android => true}},
     {jiffy, (debian())#{jiffy => "2.0.0"}}].

row_has_a_public_source(_) ->
    [match = re:run(Source, "[a-z-]+#[0-9]+", [{capture, none}])
     || #{source := Source} <- signal_port_known_crash:rows()].

healthy_debian_gets_no_row(_) ->
    [] = signal_port_known_crash:describe(crash, debian()).

refused_crypto_gets_the_openssl_row(_) ->
    ["Known: OTP's crypto does not load: an error and no crash." ++ _] =
        signal_port_known_crash:describe(error, debian()).

every_row_takes_every_machine(_) ->
    [true = is_boolean(CanHappen(Facts))
     || #{can_happen := CanHappen} <- signal_port_known_crash:rows(), {_, Facts} <- examples()].

happening(Facts) ->
    [Id || #{id := Id, can_happen := CanHappen} <- signal_port_known_crash:rows(),
           CanHappen(Facts)].

debian() ->
    #{architecture => "x86_64-pc-linux-gnu", arm64 => false, os => linux, distribution => "debian",
      libc => glibc, nix => false, android => false, emulated => false, otp => "25",
      version => [25, 2, 3], jit => true, jit_memory => double, jiffy => ""}.
