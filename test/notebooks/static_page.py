"""Renders notebooks as a page that may do nothing: nbconvert, then an allow-list like that of GitHub.

python static_page.py FOLDER NOTEBOOK...    writes FOLDER/<name>.html

Neither scripts nor styles survive. The list follows the README of github/markup ("the HTML is sanitized"); the page's own
style is the one of a reader whose system is light or dark.
"""

import sys
from pathlib import Path

import bleach
from nbconvert import HTMLExporter

TAGS = """h1 h2 h3 h4 h5 h6 br b i strong em a pre code img tt div ins del sup sub p ol ul table thead tbody tfoot
blockquote dl dt dd kbd q samp var hr li tr td th s strike summary details caption figure figcaption span""".split()
ATTRIBUTES = {
    "*": ["title", "align", "width", "height", "scope", "colspan", "rowspan", "id", "class"],
    "a": ["href"],
    "img": ["src", "alt"],
}
PAGE = """<!doctype html><meta charset="utf-8"><style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 sans-serif; max-width: 900px; margin: 1em auto }}
pre {{ overflow-x: auto; font-size: 13px }} table {{ border-collapse: collapse }} td, th {{ border: 1px solid #8886; padding: 2px 8px }}
</style>{body}"""

folder = Path(sys.argv[1])
for notebook in sys.argv[2:]:
    body, _ = HTMLExporter(template_name="basic").from_filename(notebook)
    clean = bleach.clean(body, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https", "data"], strip=True)
    (folder / f"{Path(notebook).stem}.html").write_text(PAGE.format(body=clean), encoding="utf-8")
