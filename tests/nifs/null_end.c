/* The table of healthy.c with an end mark, as C tables often have: the VM takes it for a function. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, SLOW, READ, {NULL, 0, NULL, 0}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
