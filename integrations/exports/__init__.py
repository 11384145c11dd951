"""Everything of one user as CSV files in a ZIP, and back in; docs/export-format.md describes it."""
