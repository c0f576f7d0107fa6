"""The figures of this process and of the leaders, as one text that Prometheus reads."""

from collections.abc import Iterable, Mapping
from typing import Final

import redis
import structlog
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from core import metrics, metrics_shelf, realtime

logger = structlog.get_logger()
CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
LABEL: Final = "process"
OWN: Final = "web"


def everything() -> bytes:
    """Write this process's figures, and those that the leaders have put on the shelf."""
    return merged({**_from_shelf(), OWN: generate_latest(metrics.REGISTRY)})


def merged(texts: Mapping[str, bytes]) -> bytes:
    """Join expositions into one, where a label says whose each sample is."""
    families: dict[str, Metric] = {}
    for process, text in texts.items():
        for found in _read(process, text):
            family = families.setdefault(
                found.name, Metric(found.name, found.documentation, found.type)
            )
            if family.type != found.type:  # two releases side by side need not agree
                continue
            for sample in found.samples:
                labels = {**sample.labels, LABEL: process}
                family.samples.append(sample._replace(labels=labels))
    registry = CollectorRegistry()
    registry.register(_Finished(families.values()))
    return generate_latest(registry)


class _Finished(Collector):
    """Families that were collected somewhere else."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _from_shelf() -> dict[str, bytes]:
    """Fetch the leaders' figures; with Redis away there are none, and ours are still told."""
    try:
        return metrics_shelf.read_all(realtime.connection())
    except redis.RedisError as error:
        logger.warning("metrics.shelf_unreachable", error=type(error).__name__)
        return {}


def _read(process: str, text: bytes) -> list[Metric]:
    """Read an exposition; one that makes no sense is left out, so that the others are told."""
    try:
        return list(text_string_to_metric_families(text.decode()))
    except ValueError as error:
        logger.warning("metrics.not_read", source=process, error=type(error).__name__)
        return []
