"""What this process counts and measures for monitoring; `/metrics` shows it."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# Else each counter is told twice, the second time as when it began.
disable_created_metrics()  # type: ignore[no-untyped-call]
# Our own, so that a test or a second server in one process never meets another's figures.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # memory, processor time and open files of this process
_LIVE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)

TICK_TO_FRAME = Histogram(
    "clera_tick_to_frame_seconds",
    "From a trade's arrival at the price leader to the frame that carries it.",
    buckets=_LIVE_SECONDS,
    registry=REGISTRY,
)
FRAME_TO_SOCKET = Histogram(
    "clera_frame_to_socket_seconds",
    "From a frame's making to the last write of the values that follow from it.",
    buckets=_LIVE_SECONDS,
    registry=REGISTRY,
)
TICKS = Counter("clera_ticks_total", "Prices heard from the vendor.", ["kind"], registry=REGISTRY)
TICKS_REJECTED = Counter(
    "clera_ticks_rejected_total", "Prices not believed.", ["reason"], registry=REGISTRY
)
FRAMES = Counter("clera_frames_total", "Frames published or followed.", ["what"], registry=REGISTRY)
STALE_SYMBOLS = Gauge(
    "clera_stale_symbols", "Followed symbols without a recent price.", registry=REGISTRY
)
FEED_CONNECTIONS = Counter(
    "clera_feed_connections_total",
    "Connections to the vendor's price socket, and why they ended.",
    ["outcome"],
    registry=REGISTRY,
)
LEADER_CHANGES = Counter(
    "clera_leader_changes_total",
    "Times that this process took a stream over.",
    ["stream"],
    registry=REGISTRY,
)
SOCKETS = Gauge("clera_sockets", "Open sockets.", ["kind"], registry=REGISTRY)
SOCKET_MESSAGES = Counter(
    "clera_socket_messages_total", "Live messages written.", ["kind"], registry=REGISTRY
)
SOCKET_DIRTY = Gauge(
    "clera_sockets_dirty", "Sockets that cannot take a message now.", ["kind"], registry=REGISTRY
)
SOCKET_SKIPPED = Counter(
    "clera_socket_messages_skipped_total",
    "Messages that a later one replaces, since the socket could not take them.",
    ["kind"],
    registry=REGISTRY,
)
SOCKETS_WAITING = Gauge(
    "clera_sockets_waiting", "Sockets whose clients wait to be let in.", registry=REGISTRY
)
SOCKETS_CUT = Counter(
    "clera_sockets_cut_total", "Sockets that we have ended.", ["code"], registry=REGISTRY
)
ACCOUNTS_VALUED = Counter(
    "clera_accounts_valued_total", "Accounts revalued because of a frame.", registry=REGISTRY
)
RELOADS = Counter(
    "clera_hub_reloads_total",
    "Times that a process read the whole of the prices.",
    ["why"],
    registry=REGISTRY,
)
LOOP_LAG = Histogram(
    "clera_event_loop_lag_seconds",
    "How late the event loop of a web process gets to what is due.",
    buckets=(0.001, 0.0025, *_LIVE_SECONDS),
    registry=REGISTRY,
)
