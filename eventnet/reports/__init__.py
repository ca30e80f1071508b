"""Reports: each a function from a run to a table or a page."""
