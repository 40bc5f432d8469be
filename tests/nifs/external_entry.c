/* Entry and table are symbols that others see, and are reached by way of the GOT. */
#include "fixture.h"

ErlNifFunc functions[] = {HELLO, SLOW, READ, {NULL, 0, NULL, 0}};

ErlNifEntry entry = {
    ERL_NIF_MAJOR_VERSION, ERL_NIF_MINOR_VERSION, "fixture_nif", 4, functions, NULL, NULL, NULL, NULL,
    ERL_NIF_VM_VARIANT, 1, sizeof(ErlNifResourceTypeInit), ERL_NIF_MIN_ERTS_VERSION};

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    return &entry;
}
