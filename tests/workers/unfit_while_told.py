#!/usr/bin/env python3
"""Answers every request; but if a file `unfit` is beside its name, announces its sentence."""

import os
import sys

from stand_in import serve, write

NAME = os.path.join(os.path.dirname(sys.argv[0]), "unfit")

if os.path.exists(NAME):
    with open(NAME, "rb") as file:
        sentence = file.read()
    write(b"\x92\xa5unfit\xda" + len(sentence).to_bytes(2, "big") + sentence)
    sys.exit(78)
serve()
