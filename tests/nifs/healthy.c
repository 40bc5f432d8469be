/* Nothing is wrong. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, SLOW, READ};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
