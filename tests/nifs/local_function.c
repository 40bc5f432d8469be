/* The module has this function and does not export it: the VM loads it. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, {"helper", 1, ok, 0}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
