"""The dashboard for Grafana shows the metrics that the application has, and each of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "erlang" / "src" / "signal_port_metrics.erl"
DASHBOARD = ROOT / "deploy" / "grafana" / "signal_port.json"


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """Return all queries of the panels."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


class TestQueries:
    """What the panels ask Prometheus for."""

    def test_metrics_are_those_of_the_application(self, dashboard: dict[str, Any]) -> None:
        shown = set(re.findall(r"signal_port_\w+", " ".join(expressions(dashboard))))
        assert shown == set(re.findall(r'metric\("(\w+)"', SOURCE.read_text()))

    def test_counters_are_shown_as_rates(self, dashboard: dict[str, Any]) -> None:
        for expression in expressions(dashboard):
            assert len(re.findall(r"_total\b", expression)) == len(
                re.findall(r"(?:rate|increase)\(signal_port_\w+_total\{[^}]*\}\[", expression)
            )

    def test_brackets_are_balanced(self, dashboard: dict[str, Any]) -> None:
        for expression in expressions(dashboard):
            assert [expression.count(bracket) for bracket in "([{"] == [
                expression.count(bracket) for bracket in ")]}"
            ]


class TestPanels:
    """How the panels stand."""

    def test_ids_are_unique(self, dashboard: dict[str, Any]) -> None:
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids) > 0

    def test_panels_do_not_overlap(self, dashboard: dict[str, Any]) -> None:
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in dashboard["panels"])
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(cells)) == len(cells)
        assert all(0 <= x < 24 for x, _ in cells)

    def test_data_source_is_a_variable(self, dashboard: dict[str, Any]) -> None:
        names = {variable["name"] for variable in dashboard["templating"]["list"]}
        assert names == {"source", "instance"}
        assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${source}"}
