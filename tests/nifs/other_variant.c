/* The entry is for another kind of VM. */
#include "fixture.h"

#undef ERL_NIF_VM_VARIANT
#define ERL_NIF_VM_VARIANT "beam.other"

static ErlNifFunc functions[] = {HELLO};

ERL_NIF_INIT(fixture_nif, functions, NULL, NULL, NULL, NULL)
