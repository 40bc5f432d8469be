/* The module has no such function. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, {"absent", 3, ok, 0}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
