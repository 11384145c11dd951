"""The samples of all formats. Each module of this package defines `SAMPLES` and is found by
itself.
"""

import pkgutil
from importlib import import_module

from integrations.statements.tests.samples.base import Sample

SAMPLES: list[Sample] = []
for _found in pkgutil.iter_modules(__path__):
    if _found.name != "base":
        SAMPLES += import_module(f"{__name__}.{_found.name}").SAMPLES
