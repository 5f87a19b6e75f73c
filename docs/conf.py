"""How Sphinx makes a site of these pages: ``make docs``."""

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

from memwatch import __version__

project = "memwatch"
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# Mermaid is drawn by viewers of Markdown, not by pages that load nothing; of PromQL Pygments knows too little.
lexers["mermaid"] = lexers["promql"] = TextLexer()
html_theme = "furo"
html_title = "memwatch"
html_static_path = ["static"]
html_css_files = ["tables.css"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
