#!/usr/bin/env python3
"""Answers every request; never gets ready while there is a file `silent` beside its name."""

import os
import signal
import sys

from stand_in import serve

while os.path.exists(os.path.join(os.path.dirname(sys.argv[0]), "silent")):
    signal.pause()
serve()
