/* The entry has no module: a NULL where the VM measures a name. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO};
static ErlNifEntry entry = {
    ERL_NIF_MAJOR_VERSION, ERL_NIF_MINOR_VERSION, NULL, 1, functions, NULL, NULL, NULL, NULL,
    ERL_NIF_VM_VARIANT, 1, sizeof(ErlNifResourceTypeInit), ERL_NIF_MIN_ERTS_VERSION};

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    return &entry;
}
