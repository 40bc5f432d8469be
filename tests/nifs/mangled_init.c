/* What a C++ compiler makes of a nif_init that is not declared extern "C". */
#include "fixture.h"

ErlNifEntry *_Z8nif_initv(void)
{
    return NULL;
}
