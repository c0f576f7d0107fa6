/**
 * What a client of live values knows: which of two values is the newer, and how long to wait.
 *
 * @typedef {object} Position
 * @property {string} symbol
 * @property {string} quantity              exact, as text; negative when short
 * @property {string} average_entry_price
 * @property {string|null} price            null where nobody knows one
 * @property {string|null} previous_close
 * @property {string|null} market_value
 * @property {string|null} as_of
 *
 * @typedef {object} Value                  never changed afterwards; each one is a new object
 * @property {string|null} account_id       null for all accounts together
 * @property {string|null} total_value      for display: "$12345.67"
 * @property {string|null} today_return     for display: "+$12.34 (0.56%)"
 * @property {number|null} raw_value
 * @property {number|null} raw_return
 * @property {number|null} raw_return_percent
 * @property {boolean} stale                true: do not show it as the value of now
 * @property {string|null} as_of            when the newest price in it was made
 * @property {string} timestamp
 * @property {string} epoch                 with `seq`: which of two values is the newer one
 * @property {number} seq
 * @property {string} currency
 * @property {string[]} unpriced            held, and not in the figures: nobody knows a price
 * @property {string} [revision]            changes when what the account holds does
 * @property {string|null} [cash]
 * @property {Position[]} [positions]
 */

/** Seconds, but for the last. A client takes changes to these, mostly for tests. */
export const TIMING = Object.freeze({
  connect: 10,
  heartbeat: 15,
  silence: 2.5, // heartbeats; then the connection counts as dead
  settled: 5, // a connection that ends sooner counts as a failed try
  firstPause: 0.5,
  longestPause: 30,
  staleAfter: 5,
  poll: 5,
  hiddenPoll: 30,
  triesBeforePolling: 3,
});

/**
 * Draw a pause before try number `tries` (from 0): anything below a doubling limit, so that
 * clients which were cut off together do not come back together.
 *
 * @param {number} tries
 * @param {{timing?: typeof TIMING, random?: () => number}} [options]
 * @returns {number} seconds
 */
export function pauseAfter(tries, { timing = TIMING, random = Math.random } = {}) {
  return random() * Math.min(timing.longestPause, timing.firstPause * 2 ** tries);
}

/**
 * Compare two values by the prices they were made from.
 *
 * @param {{epoch?: string, seq?: number}} one
 * @param {{epoch?: string, seq?: number}} other
 * @returns {boolean}
 */
export function isOlder(one, other) {
  const [left, right] = [orderOf(one), orderOf(other)];
  const differs = left.findIndex((part, index) => part !== right[index]);
  return differs >= 0 && left[differs] < right[differs];
}

/** An epoch is "turn.started"; later ones have higher numbers. */
function orderOf({ epoch = "", seq = 0 }) {
  const [turn, started] = String(epoch).split(".").map(Number);
  return [turn || 0, started || 0, Number(seq) || 0];
}

/** What is known of each account, and what of it was shown. */
export class Book {
  #accounts = new Map();

  /** @returns {(string|null)[]} of what something is known: accounts, and null for all together */
  get ids() {
    return [...this.#accounts.keys()];
  }

  /** @returns {string[]} the accounts of which something is known */
  get accounts() {
    return this.ids.filter((id) => id !== null);
  }

  /** @returns {Value|null} what was shown last; of all accounts together for `null` */
  shown(id) {
    return this.#accounts.get(id)?.shown ?? null;
  }

  /** @returns {boolean} whether anything that is shown is stale */
  get isStale() {
    return this.ids.some((id) => this.shown(id)?.stale);
  }

  /**
   * Take a message in, and return what is to be shown now, or nothing.
   *
   * The state follows the connection to the letter, while what is shown only moves forward: after
   * a reconnection, to a process that is a moment behind, it waits until that one has caught up.
   *
   * @returns {Value|null}
   */
  take({ type, positions, ...fields }) {
    const entry = this.#entry(fields.account_id ?? null);
    if (type === "snapshot") {
      entry.held = fields;
      entry.positions = new Map();
    } else {
      entry.held = { ...entry.held, ...fields };
    }
    for (const position of positions ?? []) entry.positions?.set(position.symbol, position);
    return this.#show(entry);
  }

  /** Take the answer to a poll; one older than what is shown only says whether prices are old. */
  takePolled(record) {
    const shown = this.shown(record.account_id);
    if (!shown || !isOlder(record, shown)) return this.take({ ...record, type: "snapshot" });
    return record.stale ? this.#mark(record.account_id) : null;
  }

  /** Mark everything shown as stale, or all but some, and return what has changed by that. */
  markStale(/** @type {(string|null)[]} */ except = []) {
    const marked = this.ids.filter((id) => !except.includes(id));
    return marked.map((id) => this.#mark(id)).filter(Boolean);
  }

  /** Forget every account but these. */
  keepOnly(ids) {
    const kept = new Set(ids);
    for (const id of this.ids) if (id !== null && !kept.has(id)) this.#accounts.delete(id);
    if (!kept.size) this.#accounts.delete(null);
  }

  /** Say where to go on with an account, if the server has named what it holds. */
  resume(id) {
    const { epoch, seq, revision } = this.#accounts.get(id)?.held ?? {};
    return revision === undefined ? undefined : { epoch, seq, revision };
  }

  /** Say it for each of these of which it is known, as a frame has it. */
  resumes(ids) {
    const known = ids.map((id) => [id, this.resume(id)]).filter(([, place]) => place);
    return known.length ? { resume: Object.fromEntries(known) } : {};
  }

  #entry(id) {
    if (!this.#accounts.has(id)) this.#accounts.set(id, { held: {}, positions: null, shown: null });
    return this.#accounts.get(id);
  }

  #show(entry) {
    const { held, positions, shown } = entry;
    if (shown && isOlder(held, shown)) return held.stale ? this.#mark(held.account_id) : null;
    const listed = positions && { positions: [...positions.values()] };
    entry.shown = Object.freeze({ ...held, ...listed });
    return entry.shown;
  }

  #mark(id) {
    const entry = this.#accounts.get(id ?? null);
    if (!entry?.shown || entry.shown.stale) return null;
    entry.shown = Object.freeze({ ...entry.shown, stale: true });
    return entry.shown;
  }
}
