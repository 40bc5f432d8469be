"""Points of edwards25519 by their encodings: those that libsodium refuses, and the map to X25519.

Pure arithmetic on public values: nothing here runs in constant time, so no secret may come here.
"""

P = 2**255 - 19  # the field's prime
L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
_SIGN_BIT = 1 << 255  # of an encoding, the sign of x; the rest is y


def _with_both_signs(ys: list[int]) -> frozenset[bytes]:
    return frozenset((y | sign).to_bytes(32, "little") for y in ys for sign in (0, _SIGN_BIT))


# The y coordinates of the points of order 8.
_ORDER_8 = [
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]

# Every encoding of a point whose order divides 8: signatures made with them prove nothing.
SMALL_ORDER = _with_both_signs([0, 1, *_ORDER_8, P - 1, P, P + 1])

# libsodium also refuses every public key with y >= p. OpenSSL accepts both.
REFUSED_PUBLIC_KEYS = SMALL_ORDER | _with_both_signs(list(range(P, 2**255)))


def to_montgomery(public: bytes) -> bytes:
    """Return the u coordinate on curve25519, 32 bytes, of an encoded point (RFC 7748, 4.1).

    The encoding is not checked. It must not be a refused public key: y = 1 has no u.
    """
    y = int.from_bytes(public, "little") & ~_SIGN_BIT
    return ((1 + y) * pow(1 - y, -1, P) % P).to_bytes(32, "little")
