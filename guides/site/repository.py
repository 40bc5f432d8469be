"""The URL of the repository: the documents have a placeholder, a built page the checkout's URL.

Only a URL that others can reach takes the placeholder's place: a path of this machine does not.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PLACEHOLDER = "URL-OF-THIS-REPOSITORY"


def url(checkout: Path) -> str:
    """The URL of a checkout's remote `origin`; the placeholder if it has none."""
    command = ["git", "-C", str(checkout), "config", "--get", "remote.origin.url"]
    try:
        return public(subprocess.run(command, capture_output=True, text=True).stdout.strip())
    except FileNotFoundError:
        return PLACEHOLDER


def public(remote: str) -> str:
    """A remote as everybody can write it: without a password, and with a scheme."""
    if re.match(r"https?://", remote):
        return re.sub(r"//[^@/]*@", "//", remote)
    if re.match(r"(ssh|git)://", remote):
        return remote
    if short := re.fullmatch(r"([\w.-]+@[\w.-]+):(.+)", remote):
        return f"ssh://{short[1]}/{short[2]}"
    return PLACEHOLDER


def filled(text: str, repository: str) -> str:
    """A text with the URL; the sentence that asks to replace the placeholder is left out."""
    if repository == PLACEHOLDER:
        return text
    text = re.sub(rf" ?Replace `{PLACEHOLDER}`[^.\n]*\.", "", text)
    return text.replace(PLACEHOLDER, repository)
