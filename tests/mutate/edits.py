"""An edit: a small change of a source that its tests should notice."""

from typing import NamedTuple


class Edit(NamedTuple):
    """The characters from `start` to `end` become `new`."""

    start: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        """Return the changed source."""
        return text[: self.start] + self.new + text[self.end :]

    def line(self, text: str) -> int:
        """Return the number of the first changed line, from 1."""
        return text.count("\n", 0, self.start) + 1

    def lines(self, text: str) -> tuple[str, str]:
        """Return the changed lines before and after the edit, each as one line."""
        first = text.rfind("\n", 0, self.start) + 1
        last = text.find("\n", max(self.start, self.end - 1))
        old, new = text[first:last], text[first : self.start] + self.new + text[self.end : last]
        return " ".join(old.split()), " ".join(new.split())
