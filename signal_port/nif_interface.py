"""The NIF interface of each OTP release: its version, and the functions that the VM offers.

Source: `erl_nif.h` with its version history and `erl_nif_api_funcs.h` of OTP 23, 25, 27 and 29,
from Debian's packages erlang-dev. The symbols that `beam.smp` of these four releases exports are
these and no others. What that history gives for OTP 24 and 26 fits in between. On 64-bit systems
the VM has no `enif_get_int64` and its three relatives: `erl_nif.h` maps them to those for `long`.
"""

OLDEST_RELEASE, NEWEST_RELEASE = 23, 29  # releases of OTP that are known here

MAJOR = 2  # of every interface since R14A; the VM refuses any other
EXPERIMENTAL_MINOR = 5  # 2.5, maps while they were an experiment: the VM refuses it

_MINOR = {23: 15, 24: 16, 25: 16, 26: 17, 27: 17, 28: 17, 29: 18}

_ADDED = {
    23: """
    alloc alloc_binary alloc_env alloc_resource binary_to_term clear_env compare
    compare_monitors cond_broadcast cond_create cond_destroy cond_name cond_signal cond_wait
    consume_timeslice convert_time_unit cpu_time demonitor_process dlopen dlsym equal_tids
    fprintf free free_env free_iovec get_atom get_atom_length get_double get_int
    get_list_cell get_list_length get_local_pid get_local_port get_long get_map_size
    get_map_value get_resource get_string get_tuple get_uint get_ulong getenv
    has_pending_exception hash inspect_binary inspect_iolist_as_binary inspect_iovec
    ioq_create ioq_deq ioq_destroy ioq_enq_binary ioq_enqv ioq_peek ioq_peek_head ioq_size
    is_atom is_binary is_current_process_alive is_empty_list is_exception is_fun
    is_identical is_list is_map is_number is_pid is_pid_undefined is_port is_port_alive
    is_process_alive is_ref is_tuple keep_resource make_atom make_atom_len make_badarg
    make_binary make_copy make_double make_existing_atom make_existing_atom_len make_int
    make_list make_list_cell make_list_from_array make_long make_map_from_arrays
    make_map_put make_map_remove make_map_update make_monitor_term make_new_binary
    make_new_map make_ref make_resource make_resource_binary make_reverse_list make_string
    make_string_len make_sub_binary make_tuple make_tuple_from_array make_uint make_ulong
    make_unique_integer map_iterator_create map_iterator_destroy map_iterator_get_pair
    map_iterator_is_head map_iterator_is_tail map_iterator_next map_iterator_prev
    monitor_process monotonic_time mutex_create mutex_destroy mutex_lock mutex_name
    mutex_trylock mutex_unlock now_time open_resource_type open_resource_type_x port_command
    priv_data raise_exception realloc realloc_binary release_binary release_resource
    rwlock_create rwlock_destroy rwlock_name rwlock_rlock rwlock_runlock rwlock_rwlock
    rwlock_rwunlock rwlock_tryrlock rwlock_tryrwlock schedule_nif select select_x self send
    set_pid_undefined sizeof_resource snprintf system_info term_to_binary term_type
    thread_create thread_exit thread_join thread_name thread_opts_create thread_opts_destroy
    thread_self thread_type time_offset tsd_get tsd_key_create tsd_key_destroy tsd_set
    vfprintf vsnprintf whereis_pid whereis_port
    """,
    24: "dynamic_resource_call init_resource_type",
    26: "get_string_length make_new_atom make_new_atom_len set_option",
    29: "get_atom_cache_index max_atom_cache_index term_size",
}


def nif_version(release: int) -> tuple[int, int]:
    """Return the interface's version in an OTP release: its `erlang:system_info(nif_version)`.

    A release after the newest known one is taken for that: interfaces of one major only grow.
    """
    return MAJOR, _MINOR[min(release, NEWEST_RELEASE)]


def first_release(version: tuple[int, int]) -> int | None:
    """Return the first known OTP release that loads libraries of an interface version, or None."""
    return next((release for release in _MINOR if nif_version(release) >= version), None)


def functions(release: int) -> set[str]:
    """Return the names of the functions that the VM of an OTP release offers to a NIF library."""
    return {
        f"enif_{name}"
        for added, names in _ADDED.items()
        if added <= release
        for name in names.split()
    }
