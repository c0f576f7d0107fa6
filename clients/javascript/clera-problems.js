/**
 * What a server can say is wrong, and which of it no second try would change.
 *
 * @typedef {object} Problem
 * @property {string} [error]
 * @property {string} [detail]
 * @property {string} [account_id]
 * @property {number} [code]                with which the connection was closed
 */

import { pauseAfter } from "./clera-book.js";

export const UNAUTHENTICATED = 4401;
const BAD_FRAME = 4400;
const NOT_YOURS = 4404;
const TOO_MANY = 4429;
/** What no second try would change; the last two answer a token in the address. */
const FINAL = new Set([BAD_FRAME, NOT_YOURS, 4001, 4003]);
/** So many fresh tokens in a row are tried before one gives up. */
export const TOKENS_TRIED = 2;
/** Seconds. */
const TOO_MANY_PAUSE = 30;
/** A server that asks for a longer wait is asked again all the same. */
const LONGEST_RETRY_AFTER = 300;

/** Say whether the code of a close ends it all, for one account or for one of several. */
export function isFinal(code, isOneOfSeveral) {
  return FINAL.has(code) && !(code === NOT_YOURS && isOneOfSeveral);
}

/** @returns {number} the seconds that a server asked to be left alone, within reason */
export function toldToWait(retryAfter) {
  return Math.min(Number(retryAfter) || 0, LONGEST_RETRY_AFTER);
}

/**
 * Choose the pause after a lost connection, and whether a network that is back may cut it short.
 *
 * @param {{code?: number, retryAfter?: number}} told
 * @param {number} tries                    that failed before this one
 * @param {typeof import("./clera-book.js").TIMING} timing
 * @returns {{seconds: number, mayWake: boolean}}
 */
export function pauseAfterLoss({ code, retryAfter }, tries, timing) {
  const told = toldToWait(retryAfter);
  if (code === TOO_MANY) {
    return { seconds: Math.max(told, TOO_MANY_PAUSE) * (1 + Math.random()), mayWake: false };
  }
  // Whoever is told when to come comes then: the server has told each of us another time.
  return { seconds: told + pauseAfter(told ? 0 : tries, { timing }), mayWake: !told };
}

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
