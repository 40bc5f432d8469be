"""Print what the project and its tests need of PyPI, one a line, without the linters.

For a Python of another architecture: the linters have no pure wheels, and are not needed there.
"""

from importlib.metadata import requires

LINTERS = ("check-jsonschema", "mypy", "ruff", "zizmor")

for requirement in requires("signal-port") or ():
    if not requirement.startswith(LINTERS):
        print(requirement.split(";")[0])
