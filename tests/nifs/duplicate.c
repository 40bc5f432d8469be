/* The same function twice. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, SLOW, HELLO};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
