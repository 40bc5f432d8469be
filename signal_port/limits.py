"""Every limit of the package, with its unit and what it holds off."""

# Bytes of a frame's payload. A length prefix can claim 4 GiB; nothing is buffered for one that is over this.
MAX_FRAME = 128 * 1024 * 1024

# Calls in one batch. Small requests may have long answers: a batch must not fill the memory before it is too large.
MAX_BATCH = 1024

# Message keys that one message may make a receiving chain skip. Without it a peer could have us derive 2^32 keys.
MAX_SKIP = 32

# Skipped message keys that a session holds; then the oldest is overwritten. The session blob has this many slots.
MAX_SKIPPED_KEYS = 96

# Terms of a request in the external term format, those inside others included. A batch of the most
# calls has 11,000. Each byte of a frame can be a term that takes 300 bytes of memory.
MAX_TERMS = 128 * 1024

# Tuples and lists around a term of the external term format. A call in a batch has five; JSON and
# Protocol Buffers are read to 128 and 100 by serde and by protobuf. The decoder is recursive.
MAX_TERM_DEPTH = 128

# Bytes of HKDF-SHA-256's output: 255 blocks (RFC 5869, 2.3).
MAX_HKDF_LENGTH = 255 * 32

# Identity keys whose X25519 form is remembered. They are public; a stranger can at most push others out.
MAX_CACHED_IDENTITIES = 4096

# Nanoseconds that answers are held for others to be written with them, looked at after each call: a cheap call does not
# wait for all the dear ones that were read with it.
MAX_HOLD_NS = 200_000
