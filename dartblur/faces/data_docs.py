"""Data Docs that open without a network.

Great Expectations writes pages that load Bootstrap, jQuery, Vega, Font Awesome and a logo with a time stamp from six servers, and an index whose
tables are built by those scripts. The results themselves are plain HTML: what is left here is that, a small style sheet, and an index of links.
"""

import html
import re
import shutil
from pathlib import Path

_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_REMOTE_TAG = re.compile(r"<link\b[^>]*>|<img\b[^>]*?https?://[^>]*>", re.DOTALL | re.IGNORECASE)
_REMOTE_STYLE = re.compile(r"url\(\s*['\"]?https?://[^)]*\)", re.IGNORECASE)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1200px; padding: 1rem 2rem; color: #222; background: #fff }
footer, form, input, #ge-cta-footer, .modal, .cooltip .top, .navbar, button { display: none !important }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem } th, td { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top }
.badge { border: 1px solid #999; border-radius: 4px; padding: 0 .3rem } .alert { background: #f2f2f2; padding: .5rem 1rem; margin: 1rem 0 }
.text-success::before { content: "passed" } .text-danger::before { content: "failed" } .text-success { color: #1a7f37 } .text-danger { color: #c62828 }
</style>
"""  # noqa: E501


def make_offline(root: Path) -> None:
    """Rewrite the pages below ``root`` so that they load nothing from elsewhere, and write ``index.html`` with a link to each."""
    shutil.rmtree(root / "static", ignore_errors=True)
    pages = sorted(root.rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for pattern in (_SCRIPT, _REMOTE_TAG):
            text = pattern.sub("", text)
        page.write_text(_REMOTE_STYLE.sub("none", text).replace("</head>", _STYLE + "</head>", 1), encoding="utf-8")
    body = "<h1>Data validation</h1>"
    # Great Expectations puts a result at validations/<suite>/<run>/<time>/<batch>.html and a suite at expectations/<suite>.html.
    for title, folder in (("Results", "validations"), ("Suites", "expectations")):
        links = ""
        for page in sorted((root / folder).rglob("*.html")):
            parts = page.with_suffix("").relative_to(root).parts
            links += f'<li><a href="{html.escape(page.relative_to(root).as_posix())}">{html.escape(parts[1])}</a></li>'
        body += f"<h2>{title}</h2><ul>{links}</ul>"
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Data validation</title>'
    (root / "index.html").write_text(f"{head}{_STYLE}</head><body>{body}</body></html>\n", encoding="utf-8")
