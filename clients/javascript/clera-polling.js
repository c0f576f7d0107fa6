/** The same values over HTTP, round after round, while no socket can be had. */

import { toldToWait } from "./clera-problems.js";

/** Reads the record of one account after the other. */
export class Reader {
  #url;
  #actFor;
  #seconds;
  #fetch;

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {string} [options.actFor]
   * @param {number} options.seconds   that an answer may take
   * @param {typeof fetch} [options.fetch]
   */
  constructor({ url, actFor, seconds, fetch }) {
    this.#url = url;
    this.#actFor = actFor;
    this.#seconds = seconds;
    this.#fetch = fetch;
  }

  /** @returns {Promise<string[]>} the accounts that the token reaches */
  async accounts(token) {
    const me = await this.#get("/api/me", token);
    return (me?.accounts ?? []).map((account) => account.account_id);
  }

  /** @returns {Promise<object|null>} null where there is none; the socket's code says why */
  value(id, token) {
    return this.#get(`/api/portfolio/value?${new URLSearchParams({ accountId: id })}`, token);
  }

  async #get(path, token) {
    const answer = await (this.#fetch ?? globalThis.fetch)(this.#url + path, {
      headers: { Authorization: `Bearer ${token}`, ...(this.#actFor && { "X-Act-For": this.#actFor }) },
      cache: "no-store",
      signal: AbortSignal.timeout(this.#seconds * 1000),
    });
    if (answer.status === 404) return null;
    if (!answer.ok) {
      const retryAfter = Number(answer.headers?.get("Retry-After"));
      throw Object.assign(new Error(`HTTP ${answer.status}`), { retryAfter });
    }
    return answer.json();
  }
}

/** Begins one round after the other; those that fail are begun at ever longer intervals. */
export class Rounds {
  #read;
  #onFailed;
  #timing;
  #timers;
  #current = 0; // 0 while there is none
  #begun = 0;
  #failed = 0;

  /**
   * @param {object} parts
   * @param {(isOver: () => boolean) => Promise<void>} parts.read  one round
   * @param {() => void} parts.onFailed
   * @param {typeof import("./clera-book.js").TIMING} parts.timing
   * @param {import("./clera-timers.js").Timers} parts.timers
   */
  constructor({ read, onFailed, timing, timers }) {
    this.#read = read;
    this.#onFailed = onFailed;
    this.#timing = timing;
    this.#timers = timers;
  }

  start() {
    if (this.#current) return;
    this.#current = ++this.#begun;
    this.#failed = 0;
    this.#next(this.#current);
  }

  /** End; whatever is being read counts no more. */
  stop() {
    this.#current = 0;
    this.#timers.clear("poll");
  }

  /** Do not wait any longer for the next one. */
  hurry() {
    if (this.#timers.has("poll")) this.#next(this.#current);
  }

  async #next(round) {
    this.#timers.clear("poll");
    const isOver = () => round !== this.#current;
    let told = 0;
    try {
      await this.#read(isOver);
      this.#failed = 0;
    } catch (error) {
      if (isOver()) return;
      told = toldToWait(error?.retryAfter);
      this.#failed += 1;
      this.#onFailed();
    }
    if (isOver()) return;
    const { poll, hiddenPoll } = this.#timing;
    const usual = globalThis.document?.hidden ? hiddenPoll : poll;
    const pause = Math.min(usual * 2 ** this.#failed, Math.max(usual, hiddenPoll));
    this.#timers.after("poll", told + pause * (0.75 + Math.random() / 2), () => this.#next(round));
  }
}
