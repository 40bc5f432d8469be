/* A function is NULL: the VM dies when it is called. */
#include "fixture.h"

static ErlNifFunc functions[] = {{"hello", 0, NULL, 0}, SLOW, READ};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
