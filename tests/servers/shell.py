"""Runs pieces of Python in an installation's environment: one process for all, since each would
import for seconds.

A line of standard input is a piece of code in JSON; the line that answers it has what it printed
and its traceback.
"""

import contextlib
import io
import json
import os
import sys
import traceback

import django

answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the log goes elsewhere

django.setup()

from django.db import connections  # noqa: E402

for line in sys.stdin:
    printed, wrong = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {})
    except BaseException:
        wrong = traceback.format_exc()
    connections.close_all()
    print(json.dumps([printed.getvalue(), wrong]), file=answers, flush=True)
