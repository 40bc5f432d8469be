/* The entry has no VM variant. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO};
static ErlNifEntry entry = {
    ERL_NIF_MAJOR_VERSION, ERL_NIF_MINOR_VERSION, "fixture_nif", 1, functions, NULL, NULL, NULL, NULL,
    NULL, 1, sizeof(ErlNifResourceTypeInit), ERL_NIF_MIN_ERTS_VERSION};

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    return &entry;
}
