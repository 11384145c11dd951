"""Net worth, dashboard and retirement goal: everything that needs portfolios and pensions together.

A package without models: it reads through the selectors and services of both apps.
"""
