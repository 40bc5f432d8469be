/* The entry claims a function, and its table is NULL. */
#include "fixture.h"

static ErlNifEntry entry = {
    ERL_NIF_MAJOR_VERSION, ERL_NIF_MINOR_VERSION, "fixture_nif", 1, NULL, NULL, NULL, NULL, NULL,
    ERL_NIF_VM_VARIANT, 1, sizeof(ErlNifResourceTypeInit), ERL_NIF_MIN_ERTS_VERSION};

/* Not taken out by the compiler for being unused. */
ErlNifFunc functions[] = {HELLO};

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    return &entry;
}
