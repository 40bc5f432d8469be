"""The body of a page, as every page has it: links to its headings, blocks that scroll, contents.

Markdown's and edoc's HTML become the same here.
"""

from __future__ import annotations

import html
import re

from sections import Section

FEW = 3  # a page with fewer headings has no contents list
MANY = 15  # a longer list is closed at first


def named(body: str) -> str:
    """Edoc's headings with the anchor where Markdown's have it."""
    return re.sub(r'<(h\d)([^>]*)><a name="([^"]*)">(.*?)</a></\1>', r'<\1\2 id="\3">\4</\1>', body)


def linked(body: str) -> str:
    """Each heading with a link to itself."""
    return re.sub(
        r'(<(h[234])[^>]* id="([^"]*)">)(.*?)</\2>',
        r'\1\4<a class="anchor" href="#\3" aria-label="Link to this section">#</a></\2>',
        body,
    )


def scrollable(body: str) -> str:
    """Blocks of code and tables that scroll, by the keyboard, too."""
    body = body.replace("<pre>", '<pre tabindex="0">')
    body = re.sub(r"<table[^>]*>", '<div class="wide" tabindex="0"><table>', body)
    return body.replace("</table>", "</table></div>")


def breakable(body: str) -> str:
    """Long names in a line of text, which break after a sign instead of inside of a word."""

    def broken(code: re.Match[str]) -> str:
        return "<code>" + re.sub(r"([/_.,:(=@-])(?=.)", r"\1<wbr>", code[1]) + "</code>"

    return re.sub(r'(?<!<pre tabindex="0">)<code>([^<]*)</code>', broken, body)


def contents(sections: list[Section]) -> str:
    """The contents list of a page; open if it is short."""
    listed = [section for section in sections if section.level in (2, 3) and section.anchor]
    if len(listed) < FEW:
        return ""
    state = " open" if len(listed) <= MANY else ""
    links = "\n".join(
        f'<a class="level-{found.level}" href="#{found.anchor}">{html.escape(found.title)}</a>'
        for found in listed
    )
    return f"""<nav aria-label="On this page"><details class="contents"{state}>
<summary>On this page</summary>
{links}
</details></nav>"""
