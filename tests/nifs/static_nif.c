/* Compiled as if the NIF were to be built into the VM: there is no nif_init. */
#define STATIC_ERLANG_NIF
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO};

__attribute__((visibility("default"))) ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
