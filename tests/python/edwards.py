"""Points of edwards25519 in plain Python, from RFC 8032, 5.1, to build what no library makes.

Slow, not constant-time, for tests alone.
"""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]  # affine x, y
NEUTRAL: Point = (0, 1)


def add(first: Point, second: Point) -> Point:
    """Return the sum of two points."""
    (x1, y1), (x2, y2) = first, second
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def multiply(scalar: int, point: Point) -> Point:
    """Return a multiple of a point."""
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def compress(point: Point) -> bytes:
    """Return the encoding of a point, 32 bytes."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(encoding: bytes) -> Point | None:
    """Return the point of an encoding, canonical or not; None if it is not on the curve."""
    number = int.from_bytes(encoding, "little")
    y, sign = number % 2**255 % P, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x & 1 != sign and x else x), y


def _base() -> Point:
    point = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None
    return point


BASE = _base()


def small_order_points() -> list[Point]:
    """Return the eight points whose order divides 8."""
    y = 2
    while True:
        point = decompress(y.to_bytes(32, "little"))
        generator = multiply(L, point) if point else NEUTRAL
        if multiply(4, generator) != NEUTRAL:
            return [multiply(index, generator) for index in range(8)]
        y += 1


def small_order_encodings() -> set[bytes]:
    """Return every encoding of such a point, canonical or not."""
    ys = {y + more for _, y in small_order_points() for more in (0, P) if y + more < 2**255}
    return {(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)}


def to_montgomery(point: Point) -> bytes:
    """Return the u coordinate of a point on curve25519, 32 bytes (RFC 7748, 4.1)."""
    _, y = point
    return ((1 + y) * pow(1 - y, -1, P) % P).to_bytes(32, "little")


def challenge(commitment: bytes, public: bytes, message: bytes) -> int:
    """Return the number that a signature's S depends on (RFC 8032, 5.1.6: k)."""
    return int.from_bytes(sha512(commitment + public + message).digest(), "little") % L


def plain_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether S*B = R + k*A, without any check of the points or of S < L."""
    key, commitment = decompress(public), decompress(signature[:32])
    assert key and commitment
    scalar = int.from_bytes(signature[32:], "little")
    k = challenge(signature[:32], public, message)
    return multiply(scalar, BASE) == add(commitment, multiply(k, key))
