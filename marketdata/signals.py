"""The one signal of ours."""

from django.dispatch import Signal

# Sent inside the transaction that stores splits of `stock` (a StockMetadata), before the prices of the same answer.
splits_recorded = Signal()
