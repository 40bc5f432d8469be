/* A name is NULL, its function is not. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, {NULL, 1, ok, 0}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
