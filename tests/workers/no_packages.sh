#!/bin/sh
# A Python that has its standard library and nothing else.
shift
exec python3 -I -S "$@"
