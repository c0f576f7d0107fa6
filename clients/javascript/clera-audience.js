/** Who hears of values: the application's callbacks, and whoever loops over them. */

import { Refused } from "./clera-problems.js";

export class Audience {
  #callbacks;
  #listeners = new Set();
  #state = "stopped";
  #problem = null;

  /**
   * @param {object} callbacks
   * @param {(value: import("./clera-book.js").Value) => void} [callbacks.onValue]
   * @param {(value: import("./clera-book.js").Value) => void} [callbacks.onAggregate]
   * @param {(state: string, problem: object|null) => void} [callbacks.onState]
   * @param {(problem: object) => void} [callbacks.onProblem]
   */
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  get state() {
    return this.#state;
  }

  get isThere() {
    return this.#state !== "stopped" && this.#state !== "refused";
  }

  tell(value) {
    if (!value || !this.isThere) return;
    const { onValue, onAggregate } = this.#callbacks;
    this.#call(value.account_id === null ? onAggregate : onValue, value);
    for (const listener of this.#listeners) listener(value);
  }

  become(state, problem) {
    if (state === this.#state) return;
    this.#state = state;
    this.#problem = problem;
    this.#call(this.#callbacks.onState, state, problem);
    for (const listener of this.#listeners) listener(null);
  }

  complain(problem) {
    this.#call(this.#callbacks.onProblem, problem);
  }

  /**
   * Give each value as it comes until the state is an end, beginning with `start`.
   *
   * @param {() => void} start
   * @param {() => void} leave
   * @throws {Refused}
   */
  async *watch(start, leave) {
    const waiting = new Map();
    let tell = () => {};
    const listener = (value) => {
      if (value) waiting.set(value.account_id, value);
      tell();
    };
    this.#listeners.add(listener);
    try {
      start();
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
      leave();
    }
  }

  /** A fault of the application's must not become one of ours. */
  #call(callback, ...parts) {
    try {
      callback?.(...parts);
    } catch (error) {
      (globalThis.reportError ?? console.error)(error);
    }
  }
}
