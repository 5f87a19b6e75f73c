"""How Sphinx makes a site of these pages: ``make docs``."""

from memwatch import __version__

project = "memwatch"
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "memwatch"
myst_heading_anchors = 3
myst_links_external_new_tab = True
