/* Fills its table when it is loaded; the entry is in the file. */
#include "fixture.h"

static ErlNifFunc functions[2];

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info)
{
    return 0;
}

__attribute__((constructor)) static void fill(void)
{
    functions[0] = (ErlNifFunc)HELLO;
    functions[1] = (ErlNifFunc)SLOW;
}

ERL_NIF_INIT(fixture_nif, functions, load, NULL, NULL, NULL)
