/**
 * Clera's live values for a browser.
 *
 *   import { LiveAccount } from "/static/console/live.js";
 *   const live = new LiveAccount({ accountId, token: async () => "...", onValue, onState });
 *   live.start();   // and later live.stop()
 *
 * `token` is asked for before each connection, so that an expired one is renewed. `onValue` gets
 * every message with a value; the first after a connection has `type: "snapshot"` and positions.
 * `onState` gets "live", "stale", "connecting" or "refused" (with the close code).
 * Reconnects by itself: full jitter under a doubling limit, from half a second to thirty.
 */

const HEARTBEAT_MS = 15_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const FINAL_CODES = new Set([4400, 4404]);

export class LiveAccount {
  constructor({ accountId, token, onValue, onState = () => {}, base = defaultBase() }) {
    Object.assign(this, { accountId, token, onValue, onState, base });
    this.tries = 0;
    this.stopped = true;
  }

  start() {
    this.stopped = false;
    this.connect();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.retry);
    clearInterval(this.heartbeat);
    this.socket?.close(1000);
  }

  async connect() {
    this.onState("connecting");
    let token;
    try {
      token = await this.token();
    } catch {
      return this.again();
    }
    const socket = new WebSocket(`${this.base}/ws/portfolio/${this.accountId}`);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token }));
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    socket.onclose = (event) => this.closed(event.code);
    this.heartbeat = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: "heartbeat", timestamp: Date.now() }));
      }
    }, HEARTBEAT_MS);
  }

  receive(message) {
    if (message.total_value === undefined) return;
    this.tries = 0;
    this.onState(message.stale ? "stale" : "live");
    this.onValue(message);
  }

  closed(code) {
    clearInterval(this.heartbeat);
    if (this.stopped) return;
    if (FINAL_CODES.has(code)) {
      this.onState("refused", code);
      return;
    }
    this.again();
  }

  again() {
    this.onState("connecting");
    const limit = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.tries++);
    this.retry = setTimeout(() => this.connect(), Math.random() * limit);
  }
}

function defaultBase() {
  return location.origin.replace(/^http/, "ws");
}
