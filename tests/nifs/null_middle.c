/* A NULL entry before the last one. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, {NULL, 0, NULL, 0}, SLOW, READ};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
