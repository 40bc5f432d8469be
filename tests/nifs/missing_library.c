/* Needs something of another library; the test links it with one that is gone then. */
#include "fixture.h"

int marvel(void);

static ERL_NIF_TERM hello(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    return enif_make_int(env, marvel());
}

static ErlNifFunc functions[] = {{"hello", 0, hello, 0}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
