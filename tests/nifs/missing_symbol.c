/* Calls a function that no VM offers. */
#include "fixture.h"

ERL_NIF_TERM enif_make_marvel(ErlNifEnv *env);

static ERL_NIF_TERM marvel(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    return enif_make_marvel(env);
}

static ErlNifFunc functions[] = {{"hello", 0, marvel, 0}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
