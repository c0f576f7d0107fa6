"""The Celery application: where workers, streams and beat start."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_shutting_down

from core import jobs, streams

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.local")

app = Celery("clera")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _keep_our_logging(**_: Any) -> None:
    """Celery would otherwise replace the logging that Django's settings have set up."""


setup_logging.connect(_keep_our_logging)
worker_shutting_down.connect(streams.ask_all_to_stop)
task_prerun.connect(jobs.begin_trace)
task_postrun.connect(jobs.end_trace)
