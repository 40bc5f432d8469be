"""`python -m signal_port COMMAND`, or by the folder's name, as the Erlang VM does it.

An old Python must be able to read this file and all that it imports: it has no annotations.
"""

import os
import sys

if not __package__:  # run by the folder's name: the package is beside this file
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from signal_port.command_line import run

if __name__ == "__main__":
    run()
