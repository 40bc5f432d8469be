#!/usr/bin/env python3
"""Answers every request; exits at its start while the file of LC_STAND_IN_SWITCH exists."""

import os
import sys

from stand_in import serve

if os.path.exists(os.environ["LC_STAND_IN_SWITCH"]):
    sys.exit(4)
serve()
