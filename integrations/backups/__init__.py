"""Backups of the whole database: written from one snapshot, proved, and restored on either
engine.
"""
