/* Compiled for an interface that no VM has yet. */
#include "fixture.h"

#undef ERL_NIF_MINOR_VERSION
#define ERL_NIF_MINOR_VERSION 99

static ErlNifFunc functions[] = {HELLO};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
