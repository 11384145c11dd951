"""On the PYTHONPATH of processes that tests start: they reach the test's Yahoo and nothing else, at
the test's time.
"""

import os

if os.environ.get("TEST_YAHOO_URL"):
    from tests.servers.network import close_the_network, send_yahoo_to

    close_the_network()
    send_yahoo_to(os.environ["TEST_YAHOO_URL"])

if os.environ.get("TEST_CLOCK_SHIFT"):
    from datetime import UTC, datetime, timedelta

    import time_machine

    shifted = datetime.now(UTC) + timedelta(seconds=float(os.environ["TEST_CLOCK_SHIFT"]))
    time_machine.travel(shifted).start()
