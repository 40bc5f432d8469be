/* What the fixtures of the autopsy share: one C function, and a table that has nothing wrong. */
#include <erl_nif.h>

static ERL_NIF_TERM ok(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    return enif_make_atom(env, "ok");
}

#define HELLO {"hello", 0, ok, 0}
#define SLOW  {"slow", 1, ok, ERL_NIF_DIRTY_JOB_CPU_BOUND}
#define READ  {"read", 2, ok, ERL_NIF_DIRTY_JOB_IO_BOUND}
