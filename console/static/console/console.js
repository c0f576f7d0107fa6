/** The console page: shows one account and lets its owner trade, ask and approve. */

import { LiveClient } from "../clients/clera-live.js";

const find = (id) => document.getElementById(id);
const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
let held = null; // the token and when it ends
let account = null;
let live = null;
let shownRevision = null; // of what the tables show

async function token() {
  if (held && held.until > Date.now()) return held.text;
  if (!document.body.dataset.local) return held?.text ?? ask();
  const answer = await fetch("/local/token", { method: "POST" });
  if (!answer.ok) throw new Error("no token");
  const { access_token: text, expires_in: seconds } = await answer.json();
  held = { text, until: Date.now() + (seconds - 60) * 1000 };
  return text;
}

function ask() {
  const text = prompt("Paste a customer's access token:")?.trim();
  if (!text) throw new Error("no token");
  held = { text, until: Date.now() + 50 * 60_000 };
  return text;
}

async function api(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${await token()}` };
  if (body) {
    headers["Content-Type"] = "application/json";
    headers["Idempotency-Key"] = crypto.randomUUID();
  }
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const parsed = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(parsed.detail ?? `HTTP ${answer.status}`), { problem: parsed });
  return parsed;
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function signed(value) {
  return value === null || value === undefined ? "—" : dollars.format(Number(value));
}

function showValue(value) {
  const before = Number(find("value").dataset.raw || value.raw_value);
  find("value").textContent = signed(value.raw_value);
  find("value").dataset.raw = value.raw_value ?? "";
  find("value").dataset.move = value.raw_value > before ? "up" : value.raw_value < before ? "down" : "";
  find("today").textContent = value.today_return ?? "—";
  find("today").className = value.raw_return >= 0 ? "up" : "down";
  find("as-of").textContent = value.as_of ? `prices of ${new Date(value.as_of).toLocaleTimeString()}` : "";
  if (value.revision !== shownRevision) refresh().catch(() => {}); // it is asked again soon
  shownRevision = value.revision;
}

function showState(state, problem) {
  find("state").textContent = { live: "live", stale: "prices are old", connecting: "connecting…",
    polling: "live, every few seconds", refused: `refused (${problem?.code})`, stopped: "stopped" }[state];
  find("state").dataset.state = state;
}

async function refresh() {
  const [positions, orders] = await Promise.all([
    api(`/api/portfolio/${account}/positions`),
    api(`/api/portfolio/${account}/orders?status=all&limit=8`),
  ]);
  find("positions").replaceChildren(...list(positions).map(positionRow));
  find("orders").replaceChildren(...list(orders).map(orderRow));
}

const list = (answer) => (Array.isArray(answer) ? answer : answer.positions ?? answer.orders ?? answer.results ?? []);

function positionRow(position) {
  const row = document.createElement("tr");
  row.append(
    element("td", position.symbol, "symbol"),
    element("td", Number(position.qty).toLocaleString("en-US", { maximumFractionDigits: 6 })),
    element("td", signed(position.current_price)),
    element("td", signed(position.market_value)),
    element("td", signed(position.unrealized_pl), Number(position.unrealized_pl) < 0 ? "down" : "up"),
  );
  return row;
}

function orderRow(order) {
  const row = document.createElement("tr");
  const size = order.notional ? dollars.format(Number(order.notional)) : `${Number(order.qty)} sh`;
  row.append(
    element("td", new Date(order.created_at).toLocaleString()),
    element("td", order.side),
    element("td", order.symbol, "symbol"),
    element("td", size),
    element("td", order.status || order.state),
  );
  return row;
}

function say(who, text) {
  const line = element("p", text, who);
  find("talk").append(line);
  line.scrollIntoView({ block: "nearest" });
  return line;
}

async function send(event) {
  event.preventDefault();
  const text = find("question").value.trim();
  if (!text) return;
  find("question").value = "";
  say("you", text);
  const waiting = say("clera", "…");
  try {
    const answer = await api("/api/chat", { method: "POST", body: { user_input: text, account_id: account,
      ...(send.session && { session_id: send.session }) } });
    send.session = answer.session_id;
    waiting.textContent = answer.response ?? "Still thinking; ask again in a moment.";
    (answer.proposals ?? []).forEach(showProposal);
  } catch (error) {
    waiting.textContent = error.message;
  }
}

function showProposal(proposal) {
  const box = element("div", "", "proposal");
  const approve = element("button", "Approve");
  const refuse = element("button", "Reject", "quiet");
  const decide = (verb) => async () => {
    approve.disabled = refuse.disabled = true;
    try {
      const body = verb === "approve" ? { hash: proposal.hash } : {};
      await api(`/api/proposals/${proposal.id}/${verb}`, { method: "POST", body });
      box.append(element("p", verb === "approve" ? "Approved: the order is on its way." : "Rejected."));
      setTimeout(refresh, 800);
    } catch (error) {
      box.append(element("p", error.message, "down"));
      if (error.problem?.proposal) showProposal(error.problem.proposal);
      else approve.disabled = refuse.disabled = false;
    }
  };
  approve.onclick = decide("approve");
  refuse.onclick = decide("reject");
  box.append(element("pre", proposal.text), approve, refuse);
  find("talk").append(box);
  box.scrollIntoView({ block: "nearest" });
}

async function start() {
  const me = await api("/api/me");
  const own = (me.accounts ?? []).find((each) => each.status === "ACTIVE") ?? me.accounts?.[0];
  if (!own) {
    find("state").textContent = "This customer has no account yet: run `make demo`.";
    return;
  }
  account = own.id;
  find("account").textContent = own.account_number ?? own.id;
  live = new LiveClient({ account, token, onValue: showValue, onState: showState });
  live.start();
  setInterval(() => document.hidden || refresh().catch(() => {}), 5000);
}

find("ask").addEventListener("submit", send);
start().catch((error) => {
  find("state").textContent = error.message;
});
