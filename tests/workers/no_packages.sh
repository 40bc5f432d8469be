#!/bin/sh
# A Python with its standard library alone.
shift
exec python3 -I -S "$@"
