"""Backups of the whole database: written from one snapshot, proved, restored on either engine."""
