/* nif_init does other work before it returns its entry; a second entry lies beside it. */
#include "fixture.h"

static ErlNifFunc functions[] = {HELLO, SLOW, READ, {NULL, 0, NULL, 0}};
static ErlNifFunc others[] = {HELLO};
static int calls;

#define ENTRY(TABLE, COUNT) \
    {ERL_NIF_MAJOR_VERSION, ERL_NIF_MINOR_VERSION, "fixture_nif", COUNT, TABLE, NULL, NULL, NULL, \
     NULL, ERL_NIF_VM_VARIANT, 1, sizeof(ErlNifResourceTypeInit), ERL_NIF_MIN_ERTS_VERSION}

static ErlNifEntry entry = ENTRY(functions, 4);
ErlNifEntry other_entry = ENTRY(others, 1);

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    calls++;
    entry.options = calls > 1;
    return &entry;
}
