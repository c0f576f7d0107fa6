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
 * @typedef {object} Problem                what the server said was wrong
 * @property {string} [error]
 * @property {string} [detail]
 * @property {string} [account_id]
 * @property {number} [code]                with which the connection was closed
 */

import { Book, TIMING, pauseAfter } from "./clera-book.js";

export { Book, TIMING, isOlder, pauseAfter } from "./clera-book.js";

const BAD_FRAME = 4400;
const UNAUTHENTICATED = 4401;
const NOT_YOURS = 4404;
const TOO_MANY = 4429;
/** What no second try would change; the last two answer a token in the address. */
const FINAL = new Set([BAD_FRAME, NOT_YOURS, 4001, 4003]);
/** So many fresh tokens in a row are tried before one gives up. */
const TOKENS_TRIED = 2;
const TOO_MANY_PAUSE = 30;
/** A server that asks for a longer wait is asked again all the same. */
const LONGEST_RETRY_AFTER = 300;
/** Timers that end with it. */
const OF_A_CONNECTION = ["first token", "connect", "heartbeat", "silence", "retry", "renewal", "subscription"];
const ANSWERS = new Set(["snapshot", "update", "resumed", "aggregate", "subscribed"]);

/** Thrown out of `for await` when the server will not have us. */
export class Refused extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail ?? problem.error ?? `The server closed with ${problem.code}.`);
    this.name = "Refused";
    this.code = problem.code;
    this.error = problem.error;
  }
}

/** Follows the live value of one account, of some, or of all that a token reaches. */
export class LiveClient {
  #options;
  #book = new Book();
  #timers = new Map();
  #state = /** @type {State} */ ("stopped");
  #socket = null;
  #attempt = 0; // what belongs to an earlier one is ignored
  #round = 0; // of polling; 0 while there is none
  #rounds = 0;
  #pollsFailed = 0;
  #tries = 0;
  #tokensRefused = 0;
  #hasAnswered = false;
  #answeredAt = 0;
  #refused = new Set(); // accounts that the server could not let us follow yet
  #mayWake = false;
  #problem = null;
  #listeners = new Set();
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
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** @returns {Value|null} the account's last value; of the only one if none is named */
  value(id = this.#options.account ?? this.#accounts[0]) {
    return this.#book.shown(id);
  }

  /** @returns {Value[]} the last value of every account */
  get values() {
    return this.#accounts.map((id) => this.#book.shown(id)).filter(Boolean);
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
    const waiting = new Map();
    let tell = () => {};
    const listener = (value) => {
      if (value) waiting.set(value.account_id, value);
      tell();
    };
    const isOurs = !this.#isRunning;
    this.#listeners.add(listener);
    try {
      if (isOurs) this.start();
      while (true) {
        const news = new Promise((resolve) => (tell = resolve));
        const values = [...waiting.values()];
        waiting.clear();
        yield* values;
        if (this.#state === "refused") throw new Refused(this.#problem);
        if (this.#state === "stopped") return;
        if (!waiting.size) await news;
      }
    } finally {
      this.#listeners.delete(listener);
      if (isOurs) this.stop();
    }
  }

  // A connection

  async #connect() {
    const attempt = ++this.#attempt;
    const isOver = () => attempt !== this.#attempt;
    this.#hasAnswered = this.#mayWake = false;
    this.#problem = null;
    this.#clear("retry");
    if (this.#state !== "polling") this.#become("connecting");
    try {
      const token = await this.#tokenInTime("first token");
      if (isOver()) return;
      const socket = new this.#options.WebSocket(this.#address());
      this.#socket = socket;
      socket.onopen = () => isOver() || this.#greet(token);
      socket.onmessage = ({ data }) => isOver() || this.#hear(data);
      socket.onclose = ({ code }) => isOver() || this.#lost(code);
      socket.onerror = () => isOver() || this.#lost(); // not everywhere does a close follow
    } catch (error) {
      if (isOver()) return;
      this.#complain({ error: "not_connected", detail: String(error?.message ?? error) });
      this.#lost();
      return;
    }
    this.#after("connect", this.#options.timing.connect, () => this.#lost());
  }

  #address() {
    const { url, account } = this.#options;
    const path = account ? `/ws/portfolio/${encodeURIComponent(account)}` : "/ws/portfolio";
    return url.replace(/^http/, "ws") + path;
  }

  #greet(token) {
    const { account, accounts, actFor } = this.#options;
    const one = account && this.#book.resume(account);
    this.#send({
      type: "auth",
      token,
      ...(actFor && { act_for: actFor }),
      ...this.#details(),
      ...(accounts && { accounts }),
      ...(account ? one && { resume: one } : this.#resumes(this.#accounts)),
    });
    this.#beat();
  }

  #beat() {
    this.#after("heartbeat", this.#options.timing.heartbeat, () => {
      this.#send({ type: "heartbeat", timestamp: Date.now() });
      this.#beat();
    });
  }

  #details() {
    return this.#options.positions ? { detail: "positions" } : {};
  }

  #resumes(ids) {
    const known = ids.map((id) => [id, this.#book.resume(id)]).filter(([, place]) => place);
    return known.length ? { resume: Object.fromEntries(known) } : {};
  }

  #askFor(ids) {
    this.#send({ type: "subscribe", accounts: ids, ...this.#details(), ...this.#resumes(ids) });
  }

  #hear(text) {
    try {
      this.#receive(JSON.parse(text));
    } catch (error) {
      this.#complain({ error: "failed", detail: String(error?.message ?? error) });
      this.#lost();
    }
  }

  #receive(message) {
    const { heartbeat, silence } = this.#options.timing;
    this.#after("silence", heartbeat * silence, () => this.#dead());
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
    if (wait === undefined || !this.#hasAnswered) return;
    if (!accounts) return this.#after("renewal", wait, () => this.#renew());
    for (const id of accounts) this.#refused.add(id);
    this.#after("subscription", wait, () => {
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
    this.#tokensRefused = this.#round = 0;
    for (const name of ["connect", "stale", "poll"]) this.#clear(name);
  }

  async #renew() {
    const attempt = this.#attempt;
    try {
      const token = await this.#options.token();
      if (attempt === this.#attempt) this.#send({ type: "auth", token });
    } catch (error) {
      // The connection ends when the old one does, and the next try asks again.
      this.#complain({ error: "not_renewed", detail: String(error?.message ?? error) });
    }
  }

  #send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  // Its end, and the next one

  /** Nobody was heard for so long that what is shown may be old. */
  #dead() {
    this.#tellStale();
    this.#lost();
  }

  #lost(code) {
    this.#leave();
    const problem = { ...this.#problem, ...(code && { code }) };
    if (code === UNAUTHENTICATED && !this.#hasAnswered) this.#tokensRefused += 1;
    if (this.#isFinal(code) || this.#tokensRefused >= TOKENS_TRIED) {
      this.#problem = problem;
      return this.#end("refused");
    }
    const { settled, staleAfter, triesBeforePolling } = this.#options.timing;
    const lasted = performance.now() - this.#answeredAt;
    if (this.#hasAnswered && lasted >= settled * 1000) this.#tries = 0;
    const pause = this.#pause(code, problem.retry_after);
    this.#tries += 1;
    this.#after("retry", pause, () => this.#connect());
    if (this.#state !== "polling") {
      if (!this.#timers.has("stale")) this.#after("stale", staleAfter, () => this.#tellStale());
      this.#become("connecting");
    }
    if (this.#tries >= triesBeforePolling || pause > staleAfter) this.#startPolling();
  }

  /** One of several accounts may change hands; asked again, the server says which. */
  #isFinal(code) {
    return FINAL.has(code) && !(code === NOT_YOURS && !this.#options.account && this.#hasAnswered);
  }

  #pause(code, retryAfter) {
    const told = Math.min(Number(retryAfter) || 0, LONGEST_RETRY_AFTER);
    // Whoever is told when to come comes then: the server has told each of us another time.
    const jitter = pauseAfter(told ? 0 : this.#tries, { timing: this.#options.timing });
    this.#mayWake = !told && code !== TOO_MANY;
    if (code === TOO_MANY) return Math.max(told, TOO_MANY_PAUSE) * (1 + Math.random());
    return told + jitter;
  }

  /** The network is back, or somebody looks again: do not wait any longer. */
  #wakeUp() {
    if (globalThis.document?.hidden) return;
    if (this.#timers.has("retry") && this.#mayWake) this.#connect();
    if (this.#timers.has("poll")) this.#poll(this.#round);
    if (this.#timers.has("silence")) this.#probe();
  }

  /** A page that has slept may hold a connection that is none any more: have it say a word. */
  #probe() {
    this.#send({ type: "heartbeat", timestamp: Date.now() });
    this.#after("silence", this.#options.timing.staleAfter, () => this.#dead());
  }

  #leave() {
    this.#attempt += 1;
    this.#refused.clear();
    for (const name of OF_A_CONNECTION) this.#clear(name);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {}; // cutting short a connection that is being made is none
    if (socket.readyState <= 1) socket.close(1000);
  }

  #end(state) {
    if (!this.#isRunning) return;
    this.#leave();
    this.#round = 0;
    for (const name of this.#timers.keys()) this.#clear(name);
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    if (state === "refused") this.#tellStale();
    this.#become(state);
  }

  // Polling

  #startPolling() {
    if (this.#round || !this.#isRunning) return;
    this.#round = ++this.#rounds;
    this.#pollsFailed = 0;
    this.#poll(this.#round);
  }

  async #poll(round) {
    this.#clear("poll");
    let told = 0;
    try {
      await this.#pollOnce(round);
      this.#pollsFailed = 0;
    } catch (error) {
      if (round !== this.#round) return;
      told = Math.min(error?.retryAfter || 0, LONGEST_RETRY_AFTER);
      this.#pollsFailed += 1;
      if (this.#state === "polling") this.#become("connecting");
      this.#tellStale();
    }
    if (round !== this.#round) return;
    const { poll, hiddenPoll } = this.#options.timing;
    const usual = globalThis.document?.hidden ? hiddenPoll : poll;
    const pause = Math.min(usual * 2 ** this.#pollsFailed, Math.max(usual, hiddenPoll));
    this.#after("poll", told + pause * (0.75 + Math.random() / 2), () => this.#poll(round));
  }

  async #pollOnce(round) {
    const token = await this.#tokenInTime("token");
    const read = [];
    for (const id of await this.#polled(token)) {
      const query = new URLSearchParams({ accountId: id });
      const record = await this.#get(`/api/portfolio/value?${query}`, token);
      if (round !== this.#round) return;
      if (!record) continue;
      read.push(id);
      this.#clear("stale");
      this.#become("polling");
      this.#tell(this.#book.takePolled(record));
    }
    if (round === this.#round) this.#tellStale(read); // what nobody reads now, like the aggregate
  }

  /** Ask for a token, but do not wait for ever, nor show what was known last as if it were new. */
  async #tokenInTime(timer) {
    const { connect } = this.#options.timing;
    const late = new Promise((_, reject) => this.#after(timer, connect, () => reject(new Error("no token in time"))));
    try {
      return await Promise.race([this.#options.token(), late]);
    } finally {
      this.#clear(timer);
    }
  }

  async #polled(token) {
    if (this.#options.account) return [this.#options.account];
    if (this.#wanted().length || this.#options.accounts) return this.#wanted();
    const me = await this.#get("/api/me", token);
    return (me?.accounts ?? []).map((account) => account.account_id);
  }

  async #get(path, token) {
    const { url, actFor, timing } = this.#options;
    const answer = await (this.#options.fetch ?? globalThis.fetch)(url + path, {
      headers: { Authorization: `Bearer ${token}`, ...(actFor && { "X-Act-For": actFor }) },
      cache: "no-store",
      signal: AbortSignal.timeout(timing.connect * 1000),
    });
    if (answer.status === 404) return null; // the socket's code says what that means
    if (!answer.ok) {
      const retryAfter = Number(answer.headers?.get("Retry-After"));
      throw Object.assign(new Error(`HTTP ${answer.status}`), { retryAfter });
    }
    return answer.json();
  }

  // What the application hears

  get #isRunning() {
    return this.#state !== "stopped" && this.#state !== "refused";
  }

  get #accounts() {
    return this.#book.ids.filter((id) => id !== null);
  }

  /** The accounts to follow: those named, or those that the server has shown. */
  #wanted() {
    return this.#options.accounts ?? this.#accounts;
  }

  #follows(id) {
    return id === null || (this.#options.accounts?.includes(id) ?? true);
  }

  #show(value) {
    this.#settle();
    this.#tell(value);
  }

  /** Live, unless something that is shown is stale. */
  #settle() {
    const isStale = this.#book.ids.some((id) => this.#book.shown(id)?.stale);
    this.#become(isStale ? "stale" : "live");
  }

  #tell(value) {
    if (!value || !this.#isRunning) return;
    const { onValue, onAggregate } = this.#options;
    this.#call(value.account_id === null ? onAggregate : onValue, value);
    for (const listener of this.#listeners) listener(value);
  }

  #tellStale(except) {
    for (const value of this.#book.markStale(except)) this.#tell(value);
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#call(this.#options.onState, state, this.#problem);
    for (const listener of this.#listeners) listener(null);
  }

  #complain(problem) {
    const { account_id: id, accounts = [id], type } = problem;
    if (accounts[0] === undefined) this.#problem = problem;
    else if (problem.retry_after === undefined) {
      this.#options.accounts = this.#options.accounts?.filter((each) => !accounts.includes(each));
    }
    if (type !== "draining") this.#call(this.#options.onProblem, problem);
  }

  #refuseOnOne() {
    if (this.#options.account) throw new TypeError("This client follows one account.");
  }

  /** A fault of the application's must not become one of ours. */
  #call(callback, ...parts) {
    try {
      callback?.(...parts);
    } catch (error) {
      (globalThis.reportError ?? console.error)(error);
    }
  }

  #after(name, seconds, action) {
    this.#clear(name);
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      action();
    }, seconds * 1000);
    this.#timers.set(name, timer);
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
