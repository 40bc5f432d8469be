/* Compiled for another major version of the interface. */
#include "fixture.h"

#undef ERL_NIF_MAJOR_VERSION
#define ERL_NIF_MAJOR_VERSION 3

static ErlNifFunc functions[] = {HELLO};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
