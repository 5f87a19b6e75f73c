"""The reference pages, made from what they are about: ``make reference`` writes them, a test compares.

A page is written by hand but for its parts between ``<!-- made: NAME -->`` and ``<!-- /made -->``, each of which is
the text that ``PARTS[NAME]`` returns.
"""
