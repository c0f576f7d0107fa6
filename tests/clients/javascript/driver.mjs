/** Runs the client for a test, which gives it orders line by line and reads what it says. */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { LiveClient } from "../../../clients/javascript/clera-live.js";

const { token_file, ...options } = JSON.parse(process.argv[2]);
const say = (kind, what, more) => console.log(JSON.stringify({ kind, what, ...more }));

const live = new LiveClient({
  ...options,
  token: async () => {
    say("token", null);
    return readFileSync(token_file, "utf8");
  },
  onValue: (value) => say("value", value),
  onAggregate: (value) => say("aggregate", value),
  onState: (state, problem) => say("state", state, { code: problem?.code ?? null }),
  onProblem: (problem) => say("problem", problem),
});
live.start();
for await (const line of createInterface({ input: process.stdin })) {
  const [order, ids] = JSON.parse(line);
  live[order](ids);
  if (order === "stop") break;
}
say("ended", null);
process.stdin.destroy();
