"""The recorded messages of the demo: the committed file is the one that its script writes."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_demo_data_is_up_to_date() -> None:
    write_demo_data = runpy.run_path(str(ROOT / "scripts/write_demo_data.py"))
    committed = (ROOT / "examples/demo/messages.terms").read_text()
    assert committed == write_demo_data["content"]()
