"""Every limit of the package, with its unit and what it prevents."""

# Bytes of a frame's payload. A length prefix can claim 4 GiB; over the limit nothing is buffered.
MAX_FRAME = 128 * 1024 * 1024

# Bytes of memory that a worker can write to, besides what long frames take; it starts with 11 MiB.
MIN_MEMORY = 64 * 1024 * 1024

# Bytes of memory for each byte of the longest frame. Of all calls, aes_gcm_encrypt in the external
# term format takes the most: 8.5 bytes were measured.
MEMORY_PER_FRAME_BYTE = 12

# Calls in one batch. Small calls can have long answers, which must not fill the memory together.
MAX_BATCH = 1024

# Message keys that one message can make a receiving chain skip. A peer could demand 2^32 of them.
MAX_SKIP = 32

# Skipped message keys in a session, which has as many slots. Then the oldest is overwritten.
MAX_SKIPPED_KEYS = 96

# Terms of a request in the external term format, nested ones included; a batch has up to 11,269.
# While they are decoded, each takes up to 170 bytes of memory.
MAX_TERMS = 128 * 1024

# Tuples and lists around a term of the external term format; the decoder is recursive. A call of a
# batch has five. Rust's serde_json reads 128 levels, Protocol Buffers are read 100 levels deep.
MAX_TERM_DEPTH = 128

# Bytes of HKDF-SHA-256's output: 255 blocks (RFC 5869, 2.3).
MAX_HKDF_LENGTH = 255 * 32

# Identity keys whose X25519 form is cached. They are public; a stranger can only evict others.
MAX_CACHED_IDENTITIES = 4096

# Nanoseconds, checked after each call, that replies wait to be written together. A fast call must
# not wait for every slow call that was read with it.
MAX_HOLD_NS = 200_000
