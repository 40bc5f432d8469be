#!/usr/bin/env python3
"""Stops itself on every call, like a job that a shell stops."""

import os
import signal

from stand_in import serve

serve(lambda payload: os.kill(os.getpid(), signal.SIGSTOP))
