"""What the fuzz targets share: their command line and the corpus that it names."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris


def fuzz(
    check: Callable[[bytes], None],
    mutate: Callable[..., bytes],
    seeds: Callable[[], list[bytes]],
    max_input: int,
    rss_limit: int,
) -> None:
    """Fuzz, with the options of the command line.

    Args:
        check: raises an exception if an input finds a fault.
        mutate: libFuzzer's custom mutator.
        seeds: returns the first inputs, which are written to the corpus.
        max_input: bytes of the longest input.
        rss_limit: MiB of memory for the process.
    """
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(
            next((argument for argument in sys.argv[1:] if not argument.startswith("-")), folder)
        )
        if not corpus.is_file():  # a file is one input to try again
            corpus.mkdir(exist_ok=True)
            for number, seed in enumerate(seeds()):
                (corpus / f"seed-{number:03}").write_bytes(seed)
        limits = [f"-max_len={max_input}", f"-rss_limit_mb={rss_limit}", "-timeout=10"]
        atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], check, custom_mutator=mutate)
        atheris.Fuzz()
