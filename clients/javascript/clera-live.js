/**
 * Clera's live values, for browsers and Node; nothing to install.
 *
 *   import { LiveClient } from "./clera-live.js";
 *
 *   const live = new LiveClient({
 *     url: "https://api.clera.example",
 *     account: "0197…",
 *     token: async () => (await session.get()).access_token,
 *     onValue: (value) => show(value.total_value, value.stale),
 *   });
 *   live.start();   // and later live.stop()
 *
 * It signs in, reconnects, renews the token, polls while no socket can be had, and never shows a
 * value older than one it has shown. clients/README.md tells the whole.
 *
 * @typedef {import("./clera-book.js").Value} Value
 *
 * @typedef {"connecting"|"live"|"stale"|"polling"|"refused"|"stopped"} State
 *
 * @typedef {import("./clera-problems.js").Problem} Problem
 */

import { Audience } from "./clera-audience.js";
import { Book, TIMING } from "./clera-book.js";
import { Connection, addressOf } from "./clera-connection.js";
import { Reader, Rounds } from "./clera-polling.js";
import { TOKENS_TRIED, UNAUTHENTICATED, isFinal, pauseAfterLoss } from "./clera-problems.js";
import { Timers } from "./clera-timers.js";

export { Book, TIMING, isOlder, pauseAfter } from "./clera-book.js";
export { Refused } from "./clera-problems.js";

const ANSWERS = new Set(["snapshot", "update", "resumed", "aggregate", "subscribed"]);

/** Follows the live value of one account, of some, or of all that a token reaches. */
export class LiveClient {
  #options;
  #book = new Book();
  #timers = new Timers();
  #audience;
  #reader;
  #polling;
  #connection = null; // what belongs to an earlier one is ignored
  #tries = 0;
  #tokensRefused = 0;
  #hasAnswered = false;
  #answeredAt = 0;
  #refused = new Set(); // accounts that the server could not let us follow yet
  #mayWake = false;
  #problem = null;
  #wake = () => this.#wakeUp();

  /**
   * @param {object} options
   * @param {() => string|Promise<string>} options.token  asked before each connection, each round
   *   of polling, and when the server says that the last one runs out: return one that lives on
   * @param {string} [options.url]           of the API; a page's own origin by default
   * @param {string} [options.account]       one account; without it and `accounts` it is all
   * @param {string[]} [options.accounts]    several, which `subscribe` and `unsubscribe` change
   * @param {boolean} [options.positions]    have prices of positions kept up to date as well
   * @param {string} [options.actFor]        the customer for whom a service's key speaks
   * @param {(value: Value) => void} [options.onValue]
   * @param {(value: Value) => void} [options.onAggregate]  all accounts together
   * @param {(state: State, problem: Problem|null) => void} [options.onState]
   * @param {(problem: Problem) => void} [options.onProblem]
   * @param {Partial<typeof TIMING>} [options.timing]
   * @param {typeof WebSocket} [options.WebSocket]  for Node before 22, which has none
   * @param {typeof fetch} [options.fetch]
   */
  constructor(options) {
    if (typeof options?.token !== "function") throw new TypeError("`token` must be a function.");
    if (options.account && options.accounts) throw new TypeError("Name `account` or `accounts`.");
    const kind = options.WebSocket ?? globalThis.WebSocket;
    if (!kind) throw new TypeError("There is no WebSocket here: pass one as `WebSocket`.");
    const url = new URL(options.url ?? globalThis.location?.origin).href.replace(/\/+$/, "");
    const timing = { ...TIMING, ...options.timing };
    const accounts = options.accounts && [...options.accounts];
    this.#options = { ...options, url, timing, accounts, WebSocket: kind };
    this.#audience = new Audience(this.#options);
    this.#reader = new Reader({ ...this.#options, seconds: timing.connect });
    this.#polling = new Rounds({
      read: (isOver) => this.#readAll(isOver),
      onFailed: () => this.#couldNotRead(),
      timing,
      timers: this.#timers,
    });
  }

  /** @returns {State} */
  get state() {
    return this.#audience.state;
  }

  /** @returns {Value|null} the account's last value; of the only one if none is named */
  value(id = this.#options.account ?? this.#book.accounts[0]) {
    return this.#book.shown(id);
  }

  /** @returns {Value[]} the last value of every account */
  get values() {
    return this.#book.accounts.map((id) => this.#book.shown(id)).filter(Boolean);
  }

  /** @returns {Value|null} all accounts together */
  get aggregate() {
    return this.#book.shown(null);
  }

  /** Begin, or go on after `stop`. */
  start() {
    if (this.#isRunning) return;
    this.#tries = this.#tokensRefused = 0;
    this.#problem = null;
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
    this.#connect();
  }

  /** End; nothing is called back afterwards. */
  stop() {
    this.#end("stopped");
  }

  /** Follow further accounts. @param {string[]} ids */
  subscribe(ids) {
    this.#refuseOnOne();
    if (!ids.length) return;
    this.#options.accounts = [...new Set([...this.#wanted(), ...ids])];
    this.#askFor(ids);
  }

  /** Follow some accounts no longer. @param {string[]} ids */
  unsubscribe(ids) {
    this.#refuseOnOne();
    if (!ids.length) return;
    this.#options.accounts = this.#wanted().filter((id) => !ids.includes(id));
    this.#book.keepOnly(this.#options.accounts);
    this.#send({ type: "unsubscribe", accounts: ids });
  }

  /**
   * Give each value as it comes; starts the client, and stops it again, unless it runs already.
   * Whoever is slow gets the newest of each account, not all that were in between.
   *
   * @returns {AsyncGenerator<Value>}
   * @throws {Refused}
   */
  async *[Symbol.asyncIterator]() {
    const isOurs = !this.#isRunning;
    yield* this.#audience.watch(
      () => isOurs && this.start(),
      () => isOurs && this.stop(),
    );
  }

  // A connection

  #connect() {
    this.#hasAnswered = this.#mayWake = false;
    this.#problem = null;
    this.#timers.clear("retry");
    const { url, account, timing, WebSocket } = this.#options;
    const connection = new Connection({
      address: addressOf(url, account),
      WebSocket,
      timing,
      timers: this.#timers,
      token: () => this.#tokenInTime("first token"),
      greeting: (token) => this.#greeting(token),
      onMessage: (message) => this.#receive(message),
      onProblem: (problem) => this.#complain(problem),
      onLost: (code) => this.#lost(code),
      onSilent: () => this.#tellStale(),
    });
    this.#connection = connection;
    if (this.state !== "polling") this.#become("connecting");
    if (connection === this.#connection) connection.open(); // else the application has stopped us
  }

  #greeting(token) {
    const { account, accounts, actFor } = this.#options;
    const one = account && this.#book.resume(account);
    return {
      type: "auth",
      token,
      ...(actFor && { act_for: actFor }),
      ...this.#details(),
      ...(accounts && { accounts }),
      ...(account ? one && { resume: one } : this.#book.resumes(this.#book.accounts)),
    };
  }

  #details() {
    return this.#options.positions ? { detail: "positions" } : {};
  }

  #askFor(ids) {
    this.#send({ type: "subscribe", accounts: ids, ...this.#details(), ...this.#book.resumes(ids) });
  }

  #receive(message) {
    if (ANSWERS.has(message.type)) this.#answered();
    switch (message.type) {
      case "snapshot":
      case "update":
      case "resumed":
      case "aggregate":
        // What was on its way may have been given up meanwhile.
        return this.#follows(message.account_id) && this.#show(this.#book.take(message));
      case "subscribed":
        this.#book.keepOnly(message.accounts);
        return this.#settle();
      case "expiring":
        return this.#renew();
      case "draining":
        return this.#complain(message);
      case "error":
        return this.#heed(message);
    }
  }

  /** See what the server will not do, and ask again for what it only cannot do now. */
  #heed(problem) {
    const { accounts, retry_after: wait } = problem;
    this.#complain(problem);
    // The application may have stopped us as it heard of it.
    if (wait === undefined || !this.#hasAnswered || !this.#connection) return;
    if (!accounts) return this.#timers.after("renewal", wait, () => this.#renew());
    for (const id of accounts) this.#refused.add(id);
    this.#timers.after("subscription", wait, () => {
      const ids = [...this.#refused].filter((id) => this.#follows(id));
      this.#refused.clear();
      if (ids.length) this.#askFor(ids);
    });
  }

  /** The connection is good, whatever was wrong before. */
  #answered() {
    this.#problem = null;
    if (this.#hasAnswered) return;
    this.#hasAnswered = true;
    this.#answeredAt = performance.now();
    this.#tokensRefused = 0;
    this.#polling.stop();
    this.#timers.clear("connect", "stale");
  }

  async #renew() {
    const connection = this.#connection;
    try {
      const token = await this.#options.token();
      if (connection === this.#connection) this.#send({ type: "auth", token });
    } catch (error) {
      // The connection ends when the old one does, and the next try asks again.
      const problem = { error: "not_renewed", detail: String(error?.message ?? error) };
      if (connection === this.#connection) this.#complain(problem);
    }
  }

  #send(frame) {
    this.#connection?.send(frame);
  }

  // Its end, and the next one

  #lost(code) {
    this.#leave();
    const problem = { ...this.#problem, ...(code && { code }) };
    if (code === UNAUTHENTICATED && !this.#hasAnswered) this.#tokensRefused += 1;
    // One of several accounts may change hands; asked again, the server says which.
    const isOneOfSeveral = !this.#options.account && this.#hasAnswered;
    if (isFinal(code, isOneOfSeveral) || this.#tokensRefused >= TOKENS_TRIED) {
      this.#problem = problem;
      return this.#end("refused");
    }
    const { settled, staleAfter, triesBeforePolling } = this.#options.timing;
    const lasted = performance.now() - this.#answeredAt;
    if (this.#hasAnswered && lasted >= settled * 1000) this.#tries = 0;
    const told = { code, retryAfter: problem.retry_after };
    const { seconds: pause, mayWake } = pauseAfterLoss(told, this.#tries, this.#options.timing);
    this.#mayWake = mayWake;
    this.#tries += 1;
    this.#timers.after("retry", pause, () => this.#connect());
    if (this.state !== "polling") {
      if (!this.#timers.has("stale")) this.#timers.after("stale", staleAfter, () => this.#tellStale());
      this.#become("connecting");
    }
    const isLong = this.#tries >= triesBeforePolling || pause > staleAfter;
    if (isLong && this.#timers.has("retry")) this.#polling.start();
  }

  /** The network is back, or somebody looks again: do not wait any longer. */
  #wakeUp() {
    if (globalThis.document?.hidden) return;
    if (this.#timers.has("retry") && this.#mayWake) this.#connect();
    this.#polling.hurry();
    this.#connection?.probe();
  }

  #leave() {
    this.#connection?.leave();
    this.#connection = null;
    this.#refused.clear();
    this.#timers.clear("first token", "retry", "renewal", "subscription");
  }

  #end(state) {
    if (!this.#isRunning) return;
    this.#leave();
    this.#polling.stop();
    this.#timers.clearAll();
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    if (state === "refused") this.#tellStale();
    // Told that, the application may have stopped us, or begun anew.
    if (this.#isRunning && !this.#connection) this.#become(state);
  }

  // Polling

  async #readAll(isOver) {
    const token = await this.#tokenInTime("token");
    const read = [];
    for (const id of await this.#polled(token)) {
      const record = await this.#reader.value(id, token);
      if (isOver()) return;
      if (!record || !this.#follows(id)) continue;
      read.push(id);
      this.#timers.clear("stale");
      this.#become("polling");
      this.#audience.tell(this.#book.takePolled(record));
    }
    if (!isOver()) this.#tellStale(read); // what nobody reads now, like the aggregate
  }

  #couldNotRead() {
    if (this.state === "polling") this.#become("connecting");
    this.#tellStale();
  }

  #polled(token) {
    if (this.#options.account) return [this.#options.account];
    if (this.#wanted().length || this.#options.accounts) return this.#wanted();
    return this.#reader.accounts(token);
  }

  /** Ask for a token, but do not wait for ever, nor show what was known last as if it were new. */
  #tokenInTime(timer) {
    const ask = () => this.#options.token();
    return this.#timers.inTime(timer, this.#options.timing.connect, ask, "no token in time");
  }

  // What the application hears

  get #isRunning() {
    return this.#audience.isThere;
  }

  /** The accounts to follow: those named, or those that the server has shown. */
  #wanted() {
    return this.#options.accounts ?? this.#book.accounts;
  }

  #follows(id) {
    return id === null || (this.#options.accounts?.includes(id) ?? true);
  }

  #show(value) {
    this.#settle();
    this.#audience.tell(value);
  }

  /** Live, unless something that is shown is stale. */
  #settle() {
    this.#become(this.#book.isStale ? "stale" : "live");
  }

  #tellStale(except) {
    for (const value of this.#book.markStale(except)) this.#audience.tell(value);
  }

  #become(state) {
    this.#audience.become(state, this.#problem);
  }

  #complain(problem) {
    const { account_id: id, accounts = [id], type } = problem;
    if (accounts[0] === undefined) this.#problem = problem;
    else if (problem.retry_after === undefined) {
      this.#options.accounts = this.#options.accounts?.filter((each) => !accounts.includes(each));
    }
    if (type !== "draining") this.#audience.complain(problem);
  }

  #refuseOnOne() {
    if (this.#options.account) throw new TypeError("This client follows one account.");
  }
}
