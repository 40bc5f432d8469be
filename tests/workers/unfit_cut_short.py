#!/usr/bin/env python3
"""Says that it is not fit to work, in a sentence that is cut in the middle of a character."""

import sys

from stand_in import write

sentence = b"this Python lacks a wheel\xc3"
write(b"\x92\xa5unfit\xd9" + bytes([len(sentence)]) + sentence)
sys.exit(78)
