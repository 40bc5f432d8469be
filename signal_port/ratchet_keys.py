"""What the Double Ratchet computes from its keys: the next keys, encrypted headers, MACs.

The specification calls these functions KDF_RK_HE, KDF_CK, HENCRYPT and HDECRYPT. As in the NIF, the
cipher is AES-256-CBC, the MAC HMAC-SHA-256. This module knows no session.
"""

from signal_port import messages, primitives
from signal_port.arguments import unchecked
from signal_port.errors import SignalError
from signal_port.messages import Header
from signal_port.primitives import BLOCK_SIZE, bytes_eq, random_bytes

MAC_SIZE = 8  # bytes of HMAC-SHA-256 at the end of a message
ENCRYPTED_HEADER_SIZE = 80  # IV (16), three blocks, MAC (16)
_HEADER_MAC_SIZE = 16  # bytes of HMAC-SHA-256 at the end of an encrypted header

# Every message needs them several times.
_hkdf_sha256 = unchecked(primitives.hkdf_sha256)
_hmac_sha256 = unchecked(primitives.hmac_sha256)


def root_step(root_key: bytearray, dh: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the next root key, a chain key and a next header key, 32 bytes each."""
    keys = _hkdf_sha256(dh, bytes(root_key), b"DR-RK", 96)
    return keys[:32], keys[32:64], keys[64:]


def chain_step(chain_key: bytes | bytearray) -> tuple[bytes, bytes]:
    """Return the message key and the next chain key, 32 bytes each."""
    return primitives.hmac_sha256_pair(bytes(chain_key), b"\x01", b"\x02")


def message_keys(message_key: bytes) -> tuple[bytes, bytes, bytes]:
    """Return cipher key (32), MAC key (32) and IV (16) of one message."""
    keys = _hkdf_sha256(message_key, b"", b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]


def message_mac(mac_key: bytes, sender: bytearray, receiver: bytearray, message: bytes) -> bytes:
    """Return the MAC of a message between two X25519 identities, 8 bytes."""
    return _hmac_sha256(mac_key, b"".join((sender, receiver, message)))[:MAC_SIZE]


def encrypt_header(header_key: bytes, header: Header) -> bytes:
    """Return the encrypted header, 80 bytes."""
    cipher_key, mac_key = _header_keys(header_key)
    iv = random_bytes(BLOCK_SIZE)
    sealed = iv + primitives.aes_cbc_encrypt(cipher_key, iv, messages.encode_header(header))
    return sealed + _hmac_sha256(mac_key, sealed)[:_HEADER_MAC_SIZE]


def decrypt_header(header_key: bytes, encrypted_header: bytes) -> Header | None:
    """Return the header, or None if it was encrypted with another key or is not a header."""
    cipher_key, mac_key = _header_keys(header_key)
    sealed, mac = encrypted_header[:-_HEADER_MAC_SIZE], encrypted_header[-_HEADER_MAC_SIZE:]
    if not bytes_eq(_hmac_sha256(mac_key, sealed)[:_HEADER_MAC_SIZE], mac):
        return None
    plain = primitives.aes_cbc_decrypt(cipher_key, sealed[:BLOCK_SIZE], sealed[BLOCK_SIZE:])
    if plain is None:
        return None
    try:
        return messages.decode_header(plain)
    except SignalError:
        return None


def _header_keys(header_key: bytes) -> tuple[bytes, bytes]:
    """Return cipher key and MAC key of a chain's headers."""
    keys = _hkdf_sha256(header_key, b"", b"WhisperHeader", 64)
    return keys[:32], keys[32:]
