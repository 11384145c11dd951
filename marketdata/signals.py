"""The signal that splits were stored."""

from django.dispatch import Signal

# Sent inside the transaction that stores splits of `stock` (a StockMetadata), before the prices of
# the same answer. `by_hand`: a person entered them, and sees an error if a holding cannot take
# them. `moves`: (day, ratio) before and after, of splits that the source moved or corrected.
splits_recorded = Signal()
