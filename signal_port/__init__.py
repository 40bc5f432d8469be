"""The Signal Protocol's operations, and the worker that serves them to an Erlang VM.

The modules to read first: `x3dh` (key agreement), `double_ratchet` (sessions), `primitives` (what both stand on). All
of them work on values: nothing here keeps state between two calls.
"""

__version__ = "0.1.0"
