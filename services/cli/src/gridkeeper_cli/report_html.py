"""The frame of a report: one page that needs nothing but itself, for light and dark, wide and narrow screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2128; --soft: #59636e; --line: #d8dde3; --page: #ffffff; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #323a44; --page: #0f1419; --card: #181e25; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.6rem; margin: 0 0 4px; } h2 { font-size: 1.15rem; margin: 40px 0 8px; }
p, .note { color: var(--soft); margin: 4px 0; } .note { font-size: .9rem; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.card b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .85rem; }
.plot { width: 100%; height: auto; color: var(--ink); display: block; }
.wide { overflow-x: auto; } .wide .plot { min-width: 600px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: 4px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; } th { color: var(--soft); font-weight: 600; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px; overflow-x: auto; }
details summary { cursor: pointer; margin: 8px 0; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole page."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n"
        "</html>\n"
    )


def heading(text: str, *notes: str) -> str:
    """A title with sentences below it."""
    return f"<h1>{escape(text)}</h1>" + "".join(f"<p>{escape(note)}</p>" for note in notes)


def section(name: str, *parts: str) -> str:
    """A part of the page with its name."""
    return f"<section><h2>{escape(name)}</h2>{''.join(parts)}</section>"


def picture(svg: str) -> str:
    """A picture that keeps a legible size on a narrow screen, where it scrolls by itself."""
    return f'<div class="wide">{svg}</div>'


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """The numbers to see first."""
    boxes = (f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>' for name, value in pairs)
    return f'<div class="cards">{"".join(boxes)}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself on a narrow screen; the first column is the name of the row."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def note(text: str) -> str:
    """A sentence in small print."""
    return f'<p class="note">{escape(text)}</p>'


def folded(name: str, content: str) -> str:
    """What opens on demand."""
    return f"<details><summary>{escape(name)}</summary>{content}</details>"


def literal(text: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(text)}</pre>"
