"""What people read in place of a result's keys: names, units, figures. Tables and pictures use it.

It turns values into text. It reads no file, and knows neither rich nor matplotlib.
"""

from collections.abc import Iterable
from typing import Any

from results import RATES, Figure, Key, Results

ENGINES = ("port", "nif", "crypto", "echo", "echo_as_long", "erlport", "python")  # in this order
WAYS = {  # to make the calls of a batch
    "port": "batch/1",
    "port, in flight": "send_request/2, all in flight",
    "port, one by one": "one by one",
}
ASKED_FIRST: tuple[tuple[str, int | None], ...] = (  # cases and sizes of the README
    ("sha256", 64),
    ("aes_gcm_encrypt", 64),
    ("aes_gcm_encrypt", 65536),
    ("generate_curve25519_keypair", None),
    ("sign_data", 64),
    ("verify_signature", 64),
    ("process_pre_key_bundle, known identity", None),
    ("process_pre_key_bundle, new identity", None),
    ("process_pre_key_bundle_bob, new identity", None),
    ("dr_init, new identities", None),
    ("dr_encrypt", 64),
    ("dr_decrypt, in the chain", 64),
    ("dr_decrypt, ratchet step", None),
)
KNOWN_IDENTITY = (
    "Known identity: the worker converted this contact's identity key before; it keeps the last "
    "4096. New identity: the worker meets it for the first time. The NIF keeps none."
)


def label(case: str, size: int | None) -> str:
    """Return a case and its size."""
    return case if size is None else f"{case}, {bytes_for_people(size)}"


def bytes_for_people(size: int) -> str:
    """Return a number of bytes in the largest unit that leaves it whole."""
    for unit, factor in (("MiB", 2**20), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def in_order(engines: Iterable[str]) -> list[str]:
    """Return engines once each, in the order of the tables; those it does not know come last."""
    found = dict.fromkeys(engines)
    known = [engine for engine in ENGINES if engine in found]
    return [*known, *(engine for engine in found if engine not in ENGINES)]


def unit(key: Key) -> str:
    """Return the unit of a figure."""
    if key.section in RATES:
        return "calls/s"
    return "us" if key.section == "one_caller" else "ms"


def number(value: float | None) -> str:
    """Return a number with the digits that matter, in five characters; None is empty."""
    if value is None:
        return ""
    if value >= 999_500:
        return f"{value / 1e6:.3g}M"
    if value >= 9_999.5:
        return f"{value / 1e3:.3g}k"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def measured(figure: Figure | None) -> str:
    """Return the median and the least round of a figure; of noise both ends, and no median."""
    if figure is None:
        return ""
    least, middle, most = map(number, figure)
    if figure.noisy:
        return f"~{least}-{most}"
    return middle if figure.least == figure.most else f"{middle} ({least})"


def in_full(figure: Figure | None) -> str:
    """Return a figure as `measured` does, but with the median of noise, which is marked."""
    if figure is None or not figure.noisy:
        return measured(figure)
    return f"~{number(figure.median)} ({number(figure.least)}-{number(figure.most)})"


def heading(results: Results) -> str:
    """Return a line on what was measured: machine, versions, date."""
    first, last = results.facts[0], results.facts[-1]
    machine, versions = first.get("machine", {}), _versions(results)
    parts = [
        f"{len(results.facts)} results pooled" if len(results.facts) > 1 else None,
        machine.get("cpu"),
        machine.get("architecture", "").partition("-")[0],
        f"{machine.get('cores', '?')} cores",
        f"OTP {versions.get('otp', '?')}",
        f"Python {versions.get('python', '?')}",
        f"cryptography {versions.get('cryptography', '?')}",
        " ".join(str(versions.get("openssl", "")).split()[:2]),  # without its date of release
        versions.get("nif") and f"NIF {versions['nif']}",
        versions.get("erlport") and f"erlport {versions['erlport']}",
        first.get("workers") and f"{first['workers']} workers",
        str(last.get("date", "")).partition("T")[0],
        last.get("commit"),
        "a quick run: rough figures" if any(facts.get("quick") for facts in results.facts) else "",
    ]
    return " · ".join(part for part in parts if part)


def _versions(results: Results) -> dict[str, Any]:
    """Return the versions of all files; an engine that ran in one file only has its version."""
    found: dict[str, Any] = {}
    for facts in results.facts:
        found |= {name: version for name, version in facts.get("versions", {}).items() if version}
    return found
