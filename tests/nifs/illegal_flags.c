/* Flags that the VM does not know. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, {"slow", 1, ok, 4}};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
