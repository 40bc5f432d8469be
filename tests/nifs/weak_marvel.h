/* Makes the function that missing_symbol.c lacks a weak one: the library is loaded without it. */
#pragma weak enif_make_marvel
