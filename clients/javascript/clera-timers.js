/** Timers that have names, so that each runs once at most and all of them can be ended. */
export class Timers {
  #running = new Map();

  /** Run `action` after so many seconds, instead of what the name was to run before. */
  after(name, seconds, action) {
    this.clear(name);
    const timer = setTimeout(() => {
      this.#running.delete(name);
      action();
    }, seconds * 1000);
    this.#running.set(name, timer);
    return timer;
  }

  /** Wait for what `work` promises, for so many seconds; once cleared, for nothing any more. */
  async inTime(name, seconds, work, complaint) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = this.after(name, seconds, () => reject(new Error(complaint)));
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      if (this.#running.get(name) === timer) this.clear(name); // it may be a later one's by now
    }
  }

  has(name) {
    return this.#running.has(name);
  }

  clear(...names) {
    for (const name of names) {
      clearTimeout(this.#running.get(name));
      this.#running.delete(name);
    }
  }

  clearAll() {
    this.clear(...this.#running.keys());
  }
}
