"""Known answers of the primitives, from their specifications: what a machine must compute.

`signal-port doctor` and `selftest` try each once. The tests of the package try many more.
"""

from collections.abc import Callable

from signal_port import ed25519, primitives
from signal_port.errors import SignalError

_hex = bytes.fromhex


def _sha256() -> bool:  # FIPS 180, "abc"
    return primitives.sha256(b"abc") == _hex(
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def _sha512() -> bool:  # FIPS 180, "abc"
    return primitives.sha512(b"abc") == _hex(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )


def _hmac_sha256() -> bool:  # RFC 4231, case 2
    return primitives.hmac_sha256(b"Jefe", b"what do ya want for nothing?") == _hex(
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def _hkdf_sha256() -> bool:  # RFC 5869, case 1
    info = _hex("f0f1f2f3f4f5f6f7f8f9")
    return primitives.hkdf_sha256(b"\x0b" * 22, bytes(range(13)), info, 42) == _hex(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def _x25519() -> bool:  # RFC 7748, 5.2
    private = _hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    public = _hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    return primitives.x25519(private, public) == _hex(
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    )


def _ed25519() -> bool:  # RFC 8032, 7.1, test 2
    public = _hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    secret = _hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb") + public
    signature = _hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    return (
        ed25519.sign_data(secret, b"\x72") == signature
        and ed25519.verify_signature(public, b"\x72", signature)
        and not ed25519.verify_signature(public, b"\x73", signature)
    )


def _aes_gcm() -> bool:  # NIST's GCM validation, AES-256: key, IV and one block all zero
    key, iv, plaintext = bytes(32), bytes(12), bytes(16)
    ciphertext, tag = primitives.aes_gcm_encrypt(key, iv, plaintext, b"", 16)
    return (
        (ciphertext, tag)
        == (_hex("cea7403d4d606b6e074ec5d3baf39d18"), _hex("d0d1c8a799996bf0265b98b5d48ab919"))
        and primitives.aes_gcm_decrypt(key, iv, ciphertext, b"", tag, 16) == plaintext
        and is_refused(
            "decryption_failed", primitives.aes_gcm_decrypt, key, iv, ciphertext, b"", bytes(16), 16
        )
    )


def _aes_cbc() -> bool:  # NIST SP 800-38A, F.2.5, its first block, before padding
    key = _hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    iv, plaintext = bytes(range(16)), _hex("6bc1bee22e409f96e93d7e117393172a")
    ciphertext = primitives.aes_cbc_encrypt(key, iv, plaintext)
    return (
        ciphertext[:16] == _hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6")
        and primitives.aes_cbc_decrypt(key, iv, ciphertext) == plaintext
    )


def _chacha20_poly1305() -> bool:
    key, nonce = bytes(32), bytes(12)
    sealed = primitives.chacha20_poly1305_encrypt(key, nonce, bytes(32))
    return (  # RFC 8439, A.1, test vector 2: how the second block of the key stream begins
        sealed[:32] == _hex("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed")
        and primitives.chacha20_poly1305_decrypt(key, nonce, sealed) == bytes(32)
    )


def _blake2b() -> bool:  # no input, digest of 32 bytes
    return primitives.blake2b_256(b"") == _hex(
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    )


def is_refused(name: str, function: Callable[..., object], *args: object) -> bool:
    """Return whether a call raises `SignalError` with that atom."""
    try:
        function(*args)
    except SignalError as error:
        return error.atom == name
    return False


KNOWN_ANSWERS: dict[str, Callable[[], bool]] = {
    "sha256": _sha256,
    "sha512": _sha512,
    "blake2b": _blake2b,
    "hmac_sha256": _hmac_sha256,
    "hkdf_sha256": _hkdf_sha256,
    "x25519": _x25519,
    "ed25519": _ed25519,
    "aes_gcm": _aes_gcm,
    "aes_cbc": _aes_cbc,
    "chacha20_poly1305": _chacha20_poly1305,
}
