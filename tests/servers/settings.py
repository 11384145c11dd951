"""The project's settings for processes that a test starts: everything they share lies in
TEST_PLACE.
"""

import os
from pathlib import Path

from financeproj.settings import *  # noqa: F403
from financeproj.settings import (
    CACHES,
    CELERY_BEAT_SCHEDULE,
    CELERY_BROKER_TRANSPORT_OPTIONS,
    DATABASES,
    REDIS_URL,
)

VAR_DIR = Path(os.environ["TEST_PLACE"])
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
FILE_UPLOAD_TEMP_DIR = VAR_DIR / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
if REDIS_URL:
    CACHES["default"]["KEY_PREFIX"] = str(
        VAR_DIR
    )  # whole: two test processes name their places alike
    CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"{VAR_DIR}:celery:"
else:
    DATABASES["cache"]["NAME"] = str(VAR_DIR / "cache.sqlite3")
    for option, folder in (
        ("data_folder_in", "queue"),
        ("data_folder_out", "queue"),
        ("processed_folder", "processed"),
        ("control_folder", "control"),
    ):
        (VAR_DIR / folder).mkdir(exist_ok=True)
        CELERY_BROKER_TRANSPORT_OPTIONS[option] = str(VAR_DIR / folder)

if seconds := os.environ.get(
    "TEST_BEAT_SECONDS"
):  # a test does not wait for the quarter of an hour
    for entry in CELERY_BEAT_SCHEDULE.values():
        entry["schedule"] = float(seconds)
