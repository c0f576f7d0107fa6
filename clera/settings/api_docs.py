"""What the API documentation says before its first route."""

from collections.abc import Mapping

TAGS = [
    {"name": "Accounts", "description": "Opening an account at the broker, and who is asking."},
    {"name": "Funding", "description": "Linked banks, and money on its way in or out."},
    {"name": "Ledger", "description": "An account's cash, and every movement of it."},
    {"name": "Trading", "description": "Orders, positions, cash, and the agents' proposals."},
    {"name": "Closure", "description": "Closing an account: all is sold, paid out, and ended."},
    {"name": "Portfolio", "description": "What an account is worth now."},
    {"name": "Market", "description": "Companies behind the tickers."},
    {"name": "Chat", "description": "Asking the agents. They propose; only the customer approves."},
    {"name": "System", "description": "Whether this deployment is alive and ready."},
]

DESCRIPTION = """\
The backend of an AI brokerage.

## Who is asking

* A **customer** sends `Authorization: Bearer <access token of Supabase>` and reaches what is
  their own. What belongs to somebody else is answered like what does not exist: 404.
* A **service** sends `X-API-Key: clr_...`. Each route names the scope that its key needs. A key
  with `act_for` names the customer in `X-Act-For`, or lets an account say whose it is.

Pages of the origins in `ALLOWED_ORIGINS` may ask from a browser (CORS), with a token and without
cookies. Keys are for servers, not for pages.

## Numbers

Every amount is exact. Send it as a string or as a JSON number with plain digits. The reference's
routes answer dollars as JSON numbers, all others as strings.

## Asking twice

Send an `Idempotency-Key` with whatever moves money, and the same key when you try again. The same
body gets the first answer, marked `Idempotent-Replayed: true`. Another body gets 422
`idempotency_key_reused`. A first request that is still worked on gets 409 `in_progress`.
Without a key, or with a new one, the same body within a minute gets 409 `possible_duplicate`
unless it says `"allow_duplicate": true`.

**201** says that the broker has it. **202** says that we have it, and find out by ourselves what
the broker made of it: read it again instead of sending it again.

## Problems

Every error is `application/problem+json`. Decide by `code`, show `detail`. `field_errors` names
the rule that each field broke.

## How often

Each credential has a window for each kind of request, and each network one for whatever it asks.
Windows move: what was asked a minute ago no longer counts. A full one answers **429** `throttled`
with the seconds in `Retry-After`, and names itself in `RateLimit-Policy`. A network that keeps
sending credentials which are not valid is refused too, until its window has room again.

RATES
When we cannot count, what moves money and the opening of accounts answer **503** with
`Retry-After`; everything else goes on.

## Sockets

`account_id` in their addresses is ours or the broker's, and messages name the account as the client
did. A page must be of this host, or of an origin in `ALLOWED_ORIGINS`: any other is refused with
403 before the socket opens. The token comes in one of three ways:

1. in the **first frame**, within 5 seconds:
   `{"type": "auth", "token": "<token or API key>", "act_for": "<customer, for a key>"}`
2. as **subprotocols** `clera.v1, bearer.<token>`; the server chooses `clera.v1`
3. as `?token=` in the address, for older clients only: addresses end up in logs

The client may send `{"type": "heartbeat"}` and gets a `heartbeat_ack` with a `timestamp`. By
itself the server sends a `heartbeat` every 30 seconds, and the protocol's own pings, which a
client must answer. An `error` has `error` and `detail`, and `retry_after` seconds where waiting
helps; the connection is then closed, unless the socket's own section says otherwise.

A minute before the token runs out the server sends `{"type": "expiring", "seconds": 60}`. Answer
with `{"type": "auth", "token": "<new token>"}` of the same customer or key, and the socket stays
open: `{"type": "renewed", "expires_in": 3600}`. Any other token closes it with 4401.

Before a process ends, each of its sockets is sent `{"type": "draining", "retry_after": 3.7}` and
closed with 1012. Come back after so many seconds, which differ for everybody.

| close code | meaning | what to do |
| --- | --- | --- |
| 4400 | Not one JSON object as text, or a `type` or value that we do not know. | \
Correct the client. |
| 1009 | More than 64 KB in one message. | Correct the client. |
| 4401 (4001 with `?token=`) | No valid token in time, it ran out or was revoked. | \
Connect with a new one. |
| 4404 (4003 with `?token=`) | No such account, or not yours, or not yours any more; or no such \
socket. | Do not try again. |
| 4408 | The reader was too slow for ten seconds, or asks on and on and reads no answer. | \
Connect again. |
| 4429 | Too many sockets of one customer or key, or of one network, or opened by it in a minute, \
or too many accounts. | Close another one first, or wait a minute. |
| 1011, or none | No answer to our pings, or the connection is lost. | Connect again. |
| 1012 | The process ends. | Connect again after `retry_after`. |
| 1013 | Too many come at this moment, we cannot check the token now, or the process is about to \
end. | Connect again after `retry_after`. |

## Live value: `/ws/portfolio/{account_id}`

Says what an account is worth each time this changes. A key needs `portfolio:read`.

| message from the server | meaning |
| --- | --- |
| `snapshot` | The record of `GET /api/portfolio/value`: first, and when holdings changed. |
| `update` | Its figures alone; the value has moved. |
| `resumed` | Like an `update`, instead of the first `snapshot`: see below. |
| `heartbeat` | With `seq`, `epoch`, `as_of` and `stale`. |

`stale: true` says that of something in the account no fresh prices arrive; the value is the last
one known, and the `flags` of positions name it. In a `heartbeat` it is about all prices. A value
that is not known is `null`, and `unpriced` names what nobody knows a price of. `seq` grows within
an `epoch`; a new epoch means that another process publishes the prices. A slow reader gets the
latest value only, never a queue of old ones.

With `"detail": "positions"` in the first frame (or the address, as `?detail=positions`), each
`update` also has `positions`: those whose price, close or flags changed since the message before.

A client that comes back may say in its first frame what it has: `"resume": {"epoch": "...",
"seq": 17, "revision": "..."}`, the first two from its last message and `revision` from the last
snapshot. If the account still holds the same and the epoch goes on, it gets `resumed`: the value,
and with `detail` every position. In any other case it gets a `snapshot`.

## Several accounts: `/ws/portfolio`

The same for several accounts on one socket, which counts as one. The first frame names them:
`"accounts": ["...", "..."]`; without it, all open accounts of the customer are meant. A key names
a customer with `act_for`, or accounts. `resume` is `{"<account_id>": {...}}` here.

| message | meaning |
| --- | --- |
| `subscribed` | From the server, first and after each change: `accounts`, all of them. |
| `aggregate` | From the server, once for each frame that moved one of them: what they are worth \
together, with `account_id` null and their number in `accounts`. What is not known of one is \
`null`. |
| `subscribe` | From the client: further `accounts`, with `detail` and `resume` if it likes. |
| `unsubscribe` | From the client: `accounts` that it does not want any more. |

An account that does not exist, or is somebody else's, is answered with an `error` `not_found` that
names its `account_id`; more accounts than a socket may have with `too_many_accounts`. The socket
stays open. A `subscribe` that is refused as a whole is told with its `accounts`, less those that
the socket looks at already; when there is a `retry_after`, ask for them again after it. When an
account stops being the customer's, the socket is closed with 4404.

## Account events: `/ws/account/{account_id}`

Says what happens to an account: every event once, in order, without a gap. A key needs
`accounts:read`. The first frame (or the address, as `?since=`) may carry `"since": <seq>`, the
last event that the client has; without it events begin now.

| message from the server | meaning |
| --- | --- |
| `hello` | First: `seq` of the account's last event, and of the `oldest` there is. |
| `event` | `seq`, `kind`, `at` and `payload`; first those behind `since`, then as they happen. |
| `reset` | Events behind `since` lack, or are more than 1,000. Read what is, go on from `seq`. |
| `heartbeat` | With a `timestamp`. |

| kind of event | told when |
| --- | --- |
| `account.status` | The broker changed the account. |
| `order.updated` | An order was taken, refused, filled further, ended or corrected. |
| `order.filled` | A fill was told, or one that `corrects` another and stands in its place. |
| `order.fill_taken_back` | The exchange has taken a fill back: it is void. |
| `position.changed` | A fill or its correction moved a position; `qty` is what is held now. |

Those of orders and fills name `order_id`, `broker_order_id`, `client_order_id`, `symbol` and
`side`; an order has `state`, `status`, `reason`, `qty` or `notional`, `filled_qty` and
`filled_avg_price`, a fill its `execution_id`, `qty`, `price` and `at`. Amounts are strings. What a
fill changes is told in the transaction that records it: the fill, the position, then the order.

Numbers begin with 1 and have no gaps. After any close the client connects again with the last
`seq` it has, and misses nothing. `GET /api/account/{account_id}/events` answers the same records
to clients that ask now and then.

## Watching a run: `GET /api/runs/{run_id}/events`

Server-sent events. Each has an `id`; reconnecting with `Last-Event-ID` misses nothing. The last
one is of type `messages_complete` or `error`.
"""

_RATES = {
    "read": "Reading.",
    "write": "Writing, unless another row says more.",
    "money": "Orders, approvals, transfers, linked banks.",
    "documents": "Documents.",
    "sign_up": "Opening an account.",
}


def description(rates: Mapping[str, str]) -> str:
    """Complete the text with the rates that hold here."""
    rows = (
        f"| {what} | {rates[name]} | {rates[f'service.{name}']} |\n"
        for name, what in _RATES.items()
    )
    table = "| | a customer | a service's key |\n| --- | --- | --- |\n" + "".join(rows)
    table += f"| Sockets opened by one network. | {rates['sockets']} | {rates['sockets']} |\n"
    return DESCRIPTION.replace("RATES\n", table + "\n")
