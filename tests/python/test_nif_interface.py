"""The table of the NIF interface is that of the headers on this machine."""

import re
from pathlib import Path

import nifs
import pytest

from signal_port import nif_host, nif_interface

# On 64-bit systems these are others by the preprocessor's doing.
MACROS = {f"enif_{verb}_{kind}64" for verb in ("get", "make") for kind in ("int", "uint")}


@pytest.fixture(scope="module")
def headers() -> Path:
    """Return the folder of this machine's erl_nif.h."""
    return nifs.headers()


def test_functions_are_those_of_the_header_here(headers: Path) -> None:
    text = (headers / "erl_nif_api_funcs.h").read_text()
    declared = set(re.findall(r"ERL_NIF_API_FUNC_DECL\([^,]+, *(enif_\w+)", text))
    release = nif_host.otp_release()
    assert release
    assert nif_interface.functions(release) == declared - MACROS


def test_version_is_that_of_the_header_here(headers: Path) -> None:
    text = (headers / "erl_nif.h").read_text()
    found = re.findall(r"#define ERL_NIF_M(?:AJ|IN)OR_VERSION (\d+)", text)
    release = nif_host.otp_release()
    assert release
    assert nif_interface.nif_version(release) == tuple(map(int, found))


@pytest.mark.parametrize(
    "release, version", [(23, (2, 15)), (25, (2, 16)), (27, (2, 17)), (29, (2, 18)), (40, (2, 18))]
)
def test_release_has_its_version(release: int, version: tuple[int, int]) -> None:
    assert nif_interface.nif_version(release) == version


@pytest.mark.parametrize("version, release", [((2, 0), 23), ((2, 16), 24), ((2, 18), 29)])
def test_version_has_its_first_release(version: tuple[int, int], release: int) -> None:
    assert nif_interface.first_release(version) == release


def test_version_of_no_release_has_none() -> None:
    assert nif_interface.first_release((2, 99)) is None


def test_later_releases_offer_more() -> None:
    sizes = [len(nif_interface.functions(release)) for release in range(23, 31)]
    assert sizes == [167, 169, 169, 173, 173, 173, 176, 176]
