#!/usr/bin/env python3
"""Replies with the tag of another request."""

from stand_in import OK, serve, write

serve(lambda payload: write(b"\x92\xc4\x04\xff\xff\xff\xff" + OK))
