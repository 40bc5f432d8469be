/* Makes its entry when it is loaded, as rustler does: there is none in the file. */
#include "fixture.h"

static ErlNifFunc functions[1];
static ErlNifEntry entry;

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    functions[0] = (ErlNifFunc)HELLO;
    entry = (ErlNifEntry){ERL_NIF_MAJOR_VERSION, ERL_NIF_MINOR_VERSION, "fixture_nif", 1, functions};
    entry.vm_variant = ERL_NIF_VM_VARIANT;
    entry.min_erts = ERL_NIF_MIN_ERTS_VERSION;
    return &entry;
}
