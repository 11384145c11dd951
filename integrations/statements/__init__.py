"""Statements of brokers and our own CSV, turned into rows. Knows no model: bytes in, `Statement`
out.
"""
