"""The one signal of ours."""

from django.dispatch import Signal

# Sent inside the transaction that stores splits of `stock` (a StockMetadata), before the prices of
# the same answer. `by_hand`: a person did it, and can be told what stands against it.
splits_recorded = Signal()
