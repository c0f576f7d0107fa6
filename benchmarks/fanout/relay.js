// A bare relay with Node's `ws`, to compare with: finished texts come over Redis, one message for
// each account (`relay:ACCOUNT`) or one for all of them (`relay`: lines of an account, a tab and
// its text), or such lines come on standard input, past Redis. Each text goes to that account's
// socket as it is.
const { WebSocketServer } = require("ws");
const { createClient } = require("redis");

const CHANNEL = "relay";
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
const sockets = new Map();

server.on("connection", (socket, request) => {
  const account = request.url.split("/").pop();
  sockets.set(account, socket);
  socket.send('{"type":"ready"}');
});

function pass(account, text) {
  const socket = sockets.get(account);
  if (socket) socket.send(text);
}

function passAll(lines) {
  for (const line of lines.split("\n")) {
    const tab = line.indexOf("\t");
    pass(line.slice(0, tab), line.slice(tab + 1));
  }
}

async function main() {
  const redis = createClient({ url: process.env.REDIS_URL });
  await redis.connect();
  await redis.pSubscribe(`${CHANNEL}:*`, (text, channel) => {
    pass(channel.slice(CHANNEL.length + 1), text);
  });
  await redis.subscribe(CHANNEL, passAll);
  console.log(server.address().port);
}

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const end = chunk.lastIndexOf("\n");
  if (end < 0) {
    rest += chunk;
    return;
  }
  passAll(rest + chunk.slice(0, end));
  rest = chunk.slice(end + 1);
});
process.stdin.on("end", () => process.exit(0));
main();
