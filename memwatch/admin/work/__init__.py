"""Which view, task or command did it: the page *Work*."""
