#!/usr/bin/env python3
"""Announces that it is unfit, in a sentence cut inside a character."""

import sys

from stand_in import write

sentence = b"this Python lacks a wheel\xc3"
write(b"\x92\xa5unfit\xd9" + bytes([len(sentence)]) + sentence)
sys.exit(78)
