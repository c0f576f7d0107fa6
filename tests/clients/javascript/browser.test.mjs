/** What a browser says to a page and the client heeds; the socket here is a stand-in. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { LiveClient } from "../../../clients/javascript/clera-live.js";

const SNAPSHOT = { type: "snapshot", account_id: "a", epoch: "1.1", seq: 1, stale: false, positions: [] };
let sockets = [];
let polls = 0;
let live;

class Socket {
  readyState = 1;

  constructor(url) {
    this.url = url;
    this.sent = [];
    sockets.push(this);
    queueMicrotask(() => this.onopen?.());
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  says(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  ends(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

async function fetchNothing() {
  polls += 1;
  return { ok: true, status: 200, json: async () => SNAPSHOT };
}

function begin(timing, options) {
  live = new LiveClient({
    url: "https://x", account: "a", token: () => "t", WebSocket: Socket, fetch: fetchNothing, timing, ...options,
  });
  live.start();
  return sleep(5);
}

beforeEach(() => {
  sockets = [];
  polls = 0;
  const page = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
    globalThis[name] = page[name].bind(page);
  }
});
afterEach(() => live.stop());

test("when the network is back it does not wait any longer", async () => {
  await begin({ firstPause: 1e6, longestPause: 1e6, staleAfter: 1e6 });
  sockets[0].ends(1006);
  await sleep(20);
  assert.equal(sockets.length, 1);

  globalThis.dispatchEvent(new Event("online"));
  await sleep(5);

  assert.equal(sockets.length, 2);
  assert.equal(sockets[1].url, "wss://x/ws/portfolio/a");
});

test("a wait that the server asked for is kept all the same", async () => {
  await begin({ staleAfter: 1e6 });
  sockets[0].says({ type: "error", error: "service_busy", retry_after: 60 });
  sockets[0].ends(1013);

  globalThis.dispatchEvent(new Event("online"));
  await sleep(20);

  assert.equal(sockets.length, 1);
});

test("a hidden page polls seldom, and at once when somebody looks again", async () => {
  document.hidden = true;
  await begin({ triesBeforePolling: 1, firstPause: 1e6, longestPause: 1e6, poll: 0.01, hiddenPoll: 60 });
  sockets[0].ends(1006);
  await sleep(60);
  assert.equal(polls, 1);

  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await sleep(60);

  assert.ok(polls >= 3);
});

test("a page that has slept asks for a word, and replaces a connection that says none", async () => {
  const heard = [];
  const options = { fetch: async () => ({ ok: false, status: 503 }), onValue: ({ stale }) => heard.push(stale) };
  await begin({ staleAfter: 0.03, firstPause: 1e6, longestPause: 1e6 }, options);
  sockets[0].says(SNAPSHOT);
  const look = () => document.dispatchEvent(new Event("visibilitychange"));
  look();
  assert.equal(sockets[0].sent.at(-1).type, "heartbeat");
  sockets[0].says({ type: "heartbeat_ack" });
  await sleep(60);
  assert.deepEqual([heard, sockets[0].readyState], [[false], 1]);

  look();
  await sleep(60);

  assert.deepEqual([heard, sockets[0].readyState], [[false, true], 3]);
});

test("a token that does not come leaves no polled value live", async () => {
  const heard = [];
  let asked = 0;
  const token = () => (++asked > 2 ? new Promise(() => {}) : "t"); // to connect, and to poll once
  const timing = { connect: 0.05, triesBeforePolling: 1, firstPause: 1e6, longestPause: 1e6, poll: 0.01 };
  await begin(timing, { token, onValue: ({ stale }) => heard.push(stale) });
  sockets[0].ends(1006);
  await sleep(150);

  assert.deepEqual(heard, [false, true]);
  assert.ok(asked > 3);
});

test("a token that does not come is asked for again", async () => {
  let asked = 0;
  const token = () => (++asked > 1 ? "t" : new Promise(() => {}));
  await begin({ connect: 0.2, firstPause: 0.01 }, { token });
  assert.equal(sockets.length, 0);
  await sleep(280);

  assert.equal(sockets.length, 1);
  sockets[0].says(SNAPSHOT);
  assert.equal(live.state, "live");
});

test("an end in the middle of a callback is the end", async () => {
  const heard = [];
  await begin({}, { onState: (state) => heard.push(state) && state === "live" && live.stop(), onValue: (value) => heard.push(value) });
  sockets[0].says(SNAPSHOT);
  sockets[0].says({ ...SNAPSHOT, seq: 2 });
  await sleep(20);

  assert.deepEqual(heard, ["connecting", "live", "stopped"]);
  assert.equal(sockets[0].readyState, 3);
});

test("a callback that fails is reported, and changes nothing", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  await begin({}, { onValue: () => { throw new Error("oh"); } });
  sockets[0].says(SNAPSHOT);
  delete globalThis.reportError;

  assert.deepEqual(reported, ["oh"]);
  assert.equal(live.value().seq, 1);
});

test("who iterates slowly gets the newest, and a refusal at the end", async () => {
  await begin({});
  const seen = [];
  const iterating = (async () => {
    for await (const { seq } of live) {
      seen.push(seq);
      await sleep(20);
    }
  })();
  for (let seq = 1; seq <= 50; seq += 1) sockets[0].says({ ...SNAPSHOT, seq });
  await sleep(50);
  assert.equal(seen.at(-1), 50);
  assert.ok(seen.length <= 2);

  sockets[0].ends(4404);
  await assert.rejects(iterating, { name: "Refused", code: 4404 });
});

test("an application may stop it as it hears that it connects", async () => {
  const states = [];
  const onState = (state) => {
    states.push(state);
    if (state === "connecting") live.stop();
  };

  await begin({}, { onState });

  assert.deepEqual(states, ["connecting", "stopped"]);
  assert.equal(sockets.length, 0);
});

test("or begin anew at that moment, with one connection", async () => {
  let times = 0;
  const onState = (state) => {
    if (state !== "connecting" || ++times > 1) return;
    live.stop();
    live.start();
  };

  await begin({}, { onState });

  assert.equal(sockets.length, 1);
  assert.equal(sockets[0].sent.length, 1);
});

test("stopped as it hears of a lost connection, it does not poll", async () => {
  const onState = (state) => state === "connecting" && sockets.length && live.stop();
  await begin({ triesBeforePolling: 1, poll: 0.01 }, { onState });
  sockets[0].says(SNAPSHOT);

  sockets[0].ends(1006);
  await sleep(50);

  assert.equal(live.state, "stopped");
  assert.equal(polls, 0);
  assert.equal(sockets.length, 1);
});

test("stopped as it hears of a problem, it does not come back", async () => {
  const onProblem = () => live.stop();
  await begin({ firstPause: 0.001, longestPause: 0.001 }, { onProblem });

  sockets[0].onmessage({ data: "no JSON" });
  await sleep(50);

  assert.equal(live.state, "stopped");
  assert.equal(sockets.length, 1);
});

test("stopped as it hears that a value is old, it does not come back", async () => {
  const timing = { heartbeat: 0.01, firstPause: 0.001, longestPause: 0.001 };
  await begin(timing, { onValue: ({ stale }) => stale && live.stop() });
  sockets[0].says(SNAPSHOT);
  await sleep(100);

  assert.equal(live.state, "stopped");
  assert.equal(sockets.length, 1);
});

test("stopped as it hears the last value before a refusal, it is stopped", async () => {
  const states = [];
  const onValue = ({ stale }) => stale && live.stop();
  await begin({}, { onValue, onState: (state) => states.push(state) });
  sockets[0].says(SNAPSHOT);

  sockets[0].ends(4404);

  assert.deepEqual(states, ["connecting", "live", "stopped"]);
});

test("stopped as it hears that something must wait, it does nothing later", async () => {
  let asked = 0;
  await begin({}, { token: () => `t${++asked}`, onProblem: () => live.stop() });
  sockets[0].says(SNAPSHOT);

  sockets[0].says({ type: "error", error: "service_busy", retry_after: 0.01 });
  await sleep(50);

  assert.equal(asked, 1);
});

test("of a token that fails after the end nobody hears", async () => {
  const problems = [];
  let fail;
  const tokens = ["t", new Promise((_, reject) => (fail = reject))];
  await begin({}, { token: () => tokens.shift(), onProblem: (problem) => problems.push(problem) });
  sockets[0].says(SNAPSHOT);
  sockets[0].says({ type: "expiring", seconds: 60 });

  live.stop();
  fail(new Error("signed out"));
  await sleep(5);

  assert.deepEqual(problems, []);
});

test("a token that comes too late does not have the next one waited for without end", async () => {
  let give;
  const tokens = [new Promise((resolve) => (give = resolve)), new Promise(() => {}), "t"];
  await begin({ connect: 0.05, firstPause: 0.001, longestPause: 0.001 }, { token: () => tokens.shift() });
  live.stop();
  live.start();

  give("late");
  await sleep(150);

  assert.ok(sockets.length > 0);
});

test("nothing is polled of what is followed no longer", async () => {
  const heard = [];
  const fetch = async (url) => {
    const id = new URL(url).searchParams.get("accountId");
    if (id === "b") live.unsubscribe(["b"]);
    return { ok: true, status: 200, json: async () => ({ ...SNAPSHOT, account_id: id }) };
  };
  const accounts = { account: undefined, accounts: ["a", "b"] };
  const timing = { triesBeforePolling: 1, firstPause: 1e6, longestPause: 1e6 };
  await begin(timing, { ...accounts, fetch, onValue: (value) => heard.push(value.account_id) });
  sockets[0].ends(1006);
  await sleep(20);

  assert.deepEqual(heard, ["a"]);
  assert.equal(live.value("b"), null);
});
