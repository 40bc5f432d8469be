/* A NIF whose load ends the VM by a signal or, compiled with -DHANG, never returns. */
#include <unistd.h>

#include <erl_nif.h>

static int load(ErlNifEnv *env, void **priv_data, ERL_NIF_TERM load_info)
{
#ifdef HANG
    for (;;)
        pause();
#else
    *(volatile int *)0 = 1;
#endif
    return 0;
}

static ERL_NIF_TERM init(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {{"init", 0, init, 0}};

ERL_NIF_INIT(libsignal_protocol_nif, functions, load, NULL, NULL, NULL)
