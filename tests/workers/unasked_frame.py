#!/usr/bin/env python3
"""Writes a reply without a request as soon as it is ready."""

from stand_in import OK, ready, requests, write

ready()
write(b"\x92\xc4\x04\x00\x00\x00\x00" + OK)
list(requests())
