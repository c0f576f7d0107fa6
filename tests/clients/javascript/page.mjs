// Runs the script of a page without a browser: what it fetches, and the elements it writes to.
//
//   node page.mjs <page> <address of the server>
//
// Prints what is written to #value. The server of the tests hands out no tokens, so we do.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [page, url] = process.argv.slice(2);
const [, script] = readFileSync(page, "utf8").match(/<script type="module">\n(.*?)<\/script>/s);
const fetched = globalThis.fetch;

globalThis.location = new URL(url);
globalThis.fetch = (path, options) =>
  path === "/local/token"
    ? new Response(JSON.stringify({ access_token: process.env.CLERA_TOKEN }))
    : fetched(new URL(path, url), options);

function element(id) {
  return {
    classList: { toggle() {} },
    set textContent(text) {
      if (id === "value") console.log(text);
    },
  };
}

globalThis.document = { getElementById: element, addEventListener() {}, removeEventListener() {} };
const folder = pathToFileURL(resolve(dirname(page))).href;
await import(`data:text/javascript,${encodeURIComponent(script.replace('"./', `"${folder}/`))}`);
