"""XML, HTML, templates, pictures, tables."""
