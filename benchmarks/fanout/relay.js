// A bare relay with Node's `ws`, to compare with: lines of an account, a tab and the text for it
// come on standard input; each text goes to that account's socket as it is.
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
const sockets = new Map();

server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket, request) => {
  const account = request.url.split("/").pop();
  sockets.set(account, socket);
  socket.send('{"type":"ready"}');
});

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const tab = line.indexOf("\t");
    const socket = sockets.get(line.slice(0, tab));
    if (socket) socket.send(line.slice(tab + 1));
  }
});
process.stdin.on("end", () => process.exit(0));
