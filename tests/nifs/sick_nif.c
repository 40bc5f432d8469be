/* A NIF that kills the VM that loads it: by a signal in its load function; or, with -DHANG, by never
 * returning from it; or, with -DNULL_TERMINATED, by a table that ends as plain C tables often do. */
#include <unistd.h>

#include <erl_nif.h>

static int load(ErlNifEnv *env, void **priv_data, ERL_NIF_TERM load_info)
{
#if defined(HANG)
    for (;;)
        pause();
#elif !defined(NULL_TERMINATED)
    *(volatile int *)0 = 1;
#endif
    return 0;
}

static ERL_NIF_TERM init(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {
    {"init", 0, init, 0},
#ifdef NULL_TERMINATED
    {NULL, 0, NULL, 0},
#endif
};

ERL_NIF_INIT(libsignal_protocol_nif, functions, load, NULL, NULL, NULL)
