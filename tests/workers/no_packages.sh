#!/bin/sh
# A Python with its standard library alone, in no virtual environment: since 3.14 also one that is
# started with -S says that it is in its own.
shift
base=$(python3 -I -c 'import sys; print(sys._base_executable)')
exec "$base" -I -S "$@"
