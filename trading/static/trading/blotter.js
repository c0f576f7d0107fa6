// Keeps the list of orders up to date while somebody looks at it: the same page is read again
// every two seconds and its table takes the place of the old one.
(() => {
  const everyMs = 2000;
  const key = "clera.blotter.live";
  const table = () => document.getElementById("result_list");

  // Unfold wraps what makes it scroll around the table; only the rows are exchanged.
  function exchange(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("result_list");
    const old = table();
    if (!fresh || !old || fresh.innerHTML === old.innerHTML) return;
    old.replaceWith(fresh);
  }

  function start() {
    if (!table() && !document.getElementById("changelist")) return;
    const button = document.createElement("button");
    const said = document.createElement("span");
    const box = document.createElement("div");
    let isLive = localStorage.getItem(key) !== "off";
    let timer = 0;

    function show() {
      button.textContent = isLive ? "Live" : "Paused";
      button.setAttribute("aria-pressed", String(isLive));
      button.title = isLive ? "Stop refreshing" : "Refresh by itself again";
    }

    async function refresh() {
      const isChoosing = document.querySelector("#result_list .action-select:checked");
      if (isLive && !document.hidden && !isChoosing) {
        try {
          const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
          if (!answer.ok) throw new Error(`status ${answer.status}`);
          exchange(await answer.text());
          said.textContent = `as of ${new Date().toLocaleTimeString()}`;
        } catch (error) {
          said.textContent = "not refreshed: the server did not answer";
        }
      }
      timer = setTimeout(refresh, everyMs);
    }

    button.type = "button";
    button.className = "font-semibold text-primary-600 dark:text-primary-500 cursor-pointer";
    button.addEventListener("click", () => {
      isLive = !isLive;
      localStorage.setItem(key, isLive ? "on" : "off");
      show();
    });
    box.className = "flex gap-3 items-center mb-3 text-sm";
    box.setAttribute("role", "status");
    said.className = "text-subtle";
    box.append(button, said);
    const place = document.getElementById("changelist") || table();
    place.parentElement.insertBefore(box, place);
    show();
    timer = setTimeout(refresh, everyMs);
    addEventListener("pagehide", () => clearTimeout(timer));
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
