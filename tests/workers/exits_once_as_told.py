#!/usr/bin/env python3
"""Exits with a call's last byte as status, if it can remove the file of LC_STAND_IN_SWITCH."""

import os

from stand_in import serve


def act_up(payload):
    """Exit, or answer if the file is gone."""
    try:
        os.remove(os.environ["LC_STAND_IN_SWITCH"])
    except FileNotFoundError:
        return True
    os._exit(payload[-1])


serve(act_up)
