/** One connection, from the token it greets with to its end, of which is told once. */

const OWN_TIMERS = ["connect", "heartbeat", "silence"];

/** @returns {string} where one account's socket is, or that of several */
export function addressOf(url, account) {
  const path = account ? `/ws/portfolio/${encodeURIComponent(account)}` : "/ws/portfolio";
  return url.replace(/^http/, "ws") + path;
}

export class Connection {
  #parts;
  #timing;
  #timers;
  #socket = null;
  #isOver = false;

  /**
   * @param {object} parts
   * @param {string} parts.address
   * @param {typeof WebSocket} parts.WebSocket
   * @param {typeof import("./clera-book.js").TIMING} parts.timing
   * @param {import("./clera-timers.js").Timers} parts.timers
   * @param {() => Promise<string>} parts.token
   * @param {(token: string) => object} parts.greeting    the first frame
   * @param {(message: object) => void} parts.onMessage
   * @param {(problem: object) => void} parts.onProblem   followed by `onLost`
   * @param {(code?: number) => void} parts.onLost
   * @param {() => void} parts.onSilent     nobody was heard for too long; followed by `onLost`
   */
  constructor(parts) {
    this.#parts = parts;
    this.#timing = parts.timing;
    this.#timers = parts.timers;
  }

  async open() {
    const { address, WebSocket, token, greeting, onLost } = this.#parts;
    try {
      const given = await token();
      if (this.#isOver) return;
      const socket = new WebSocket(address);
      this.#socket = socket;
      socket.onopen = () => {
        this.send(greeting(given));
        this.#beat();
      };
      socket.onmessage = ({ data }) => this.#hear(data);
      socket.onclose = ({ code }) => onLost(code);
      socket.onerror = () => onLost(); // not everywhere does a close follow
    } catch (error) {
      return this.#fail("not_connected", error);
    }
    this.#timers.after("connect", this.#timing.connect, () => onLost());
  }

  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  /** A page that has slept may hold a connection that is none any more: have it say a word. */
  probe() {
    if (!this.#timers.has("silence")) return;
    this.#sendHeartbeat();
    this.#expect(this.#timing.staleAfter);
  }

  /** End; nothing is called back afterwards. */
  leave() {
    this.#isOver = true;
    this.#timers.clear(...OWN_TIMERS);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {}; // cutting short a connection that is being made is none
    if (socket.readyState <= 1) socket.close(1000);
  }

  #beat() {
    this.#timers.after("heartbeat", this.#timing.heartbeat, () => {
      this.#sendHeartbeat();
      this.#beat();
    });
  }

  #sendHeartbeat() {
    this.send({ type: "heartbeat", timestamp: Date.now() });
  }

  /** Have something be heard within so many seconds. */
  #expect(seconds) {
    this.#timers.after("silence", seconds, () => {
      this.#parts.onSilent();
      if (!this.#isOver) this.#parts.onLost();
    });
  }

  #hear(text) {
    const { heartbeat, silence } = this.#timing;
    try {
      const message = JSON.parse(text);
      this.#expect(heartbeat * silence);
      this.#parts.onMessage(message);
    } catch (error) {
      this.#fail("failed", error);
    }
  }

  #fail(name, error) {
    if (!this.#isOver) this.#parts.onProblem({ error: name, detail: String(error?.message ?? error) });
    if (!this.#isOver) this.#parts.onLost(); // unless the application has had enough
  }
}
