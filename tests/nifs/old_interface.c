/* Compiled as before OTP 17.3, when functions had no flags; the VM loads such libraries still. */
#include "fixture.h"

typedef struct {
    const char *name;
    unsigned arity;
    ERL_NIF_TERM (*function)(ErlNifEnv *, int, const ERL_NIF_TERM[]);
} OldFunction;

static OldFunction functions[] = {{"hello", 0, ok}, {"slow", 1, ok}};
static ErlNifEntry entry = {
    2, 6, "fixture_nif", 2, (ErlNifFunc *)functions, NULL, NULL, NULL, NULL, ERL_NIF_VM_VARIANT};

__attribute__((visibility("default"))) ErlNifEntry *nif_init(void)
{
    return &entry;
}
