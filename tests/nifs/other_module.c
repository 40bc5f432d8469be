/* The entry is for another module. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO};

ERL_NIF_INIT(other_nif, functions, NULL, NULL, NULL, NULL)
