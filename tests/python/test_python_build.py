"""How a Python was built, from what its build says."""

import sysconfig

import pytest

from signal_port import python_build


@pytest.mark.parametrize(
    ("arguments", "is_debian", "is_optimized"),
    [
        ("'--prefix=/usr' '--enable-optimizations'", False, True),
        ("'--prefix=/usr'", False, False),
        ("'--prefix=/usr'", True, True),
        (None, False, True),  # it does not say: no reason for advice
    ],
)
def test_build_is_optimized_if_it_says_so_or_is_debians(
    monkeypatch: pytest.MonkeyPatch, arguments: str | None, is_debian: bool, is_optimized: bool
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", {"CONFIG_ARGS": arguments}.get)
    monkeypatch.setattr(python_build, "_is_debian", lambda: is_debian)
    assert python_build.is_optimized() == is_optimized
    assert (python_build.advice() is None) == is_optimized


def test_slow_build_advice_names_the_python_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(python_build, "is_optimized", lambda: False)
    monkeypatch.setattr(python_build.sys, "executable", "/opt/python3")
    advice = python_build.advice() or ""
    assert "(/opt/python3)" in advice
    assert "--enable-optimizations" in advice
