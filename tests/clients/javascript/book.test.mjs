/** Which value is shown, and how long to wait: run with `node --test`. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Book, LiveClient, isOlder, pauseAfter, TIMING } from "../../../clients/javascript/clera-live.js";

const cases = JSON.parse(readFileSync(new URL("../cases.json", import.meta.url)));
const plain = (value) => JSON.parse(JSON.stringify(value ?? null));

for (const { name, steps } of cases) {
  test(name, () => {
    const book = new Book();
    for (const step of steps) {
      if (step.take) assert.deepEqual(plain(book.take(step.take)), step.shows);
      else if (step.poll) assert.deepEqual(plain(book.takePolled(step.poll)), step.shows);
      else if (step.mark) assert.deepEqual(plain(book.markStale(step.mark)), step.marks);
      else {
        book.keepOnly(step.keep);
        assert.deepEqual(book.ids, step.ids);
      }
      if ("resume" in step) assert.deepEqual(plain(book.resume("a")), step.resume);
    }
  });
}

test("a value that was shown cannot be changed", () => {
  const value = new Book().take({ type: "snapshot", account_id: "a", epoch: "1.1", seq: 1, stale: false });
  assert.throws(() => { value.stale = true; }, TypeError);
});

test("an epoch that cannot be read is the oldest", () => {
  for (const epoch of ["", "x", "later"]) assert.ok(isOlder({ epoch, seq: 9 }, { epoch: "1.1", seq: 1 }));
  assert.ok(!isOlder({ epoch: "1.1", seq: 1 }, { epoch: "1.1", seq: 1 }));
});

test("pauses lie anywhere below a doubling limit", () => {
  for (const [tries, limit] of [[0, 0.5], [1, 1], [2, 2], [5, 16], [6, 30], [60, 30], [100_000, 30]]) {
    const drawn = Array.from({ length: 300 }, () => pauseAfter(tries));
    assert.equal(pauseAfter(tries, { random: () => 1 }), limit);
    assert.ok(drawn.every((pause) => pause >= 0 && pause < limit));
    assert.ok(Math.max(...drawn) - Math.min(...drawn) > limit / 2);
  }
  const timing = { ...TIMING, firstPause: 2, longestPause: 3 };
  assert.deepEqual([0, 1].map((tries) => pauseAfter(tries, { timing, random: () => 1 })), [2, 3]);
});

test("options that make no sense are refused at once", () => {
  const options = { url: "http://x", token: () => "t", WebSocket: class {} };
  assert.throws(() => new LiveClient({ ...options, token: "t" }), TypeError);
  assert.throws(() => new LiveClient({ ...options, account: "a", accounts: ["b"] }), TypeError);
  assert.throws(() => new LiveClient({ ...options, url: undefined }), TypeError);
  assert.throws(() => new LiveClient({ ...options, account: "a" }).subscribe(["b"]), TypeError);
  assert.equal(new LiveClient(options).state, "stopped");
});
