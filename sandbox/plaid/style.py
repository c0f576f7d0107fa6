"""The look of the hosted page: one sheet, no picture and no letter from elsewhere."""

SHEET = """
:root { color-scheme: light dark; --ink: #14213d; --soft: #5b6478; --line: #d5dae4;
  --card: #ffffff; --ground: #eef1f7; --deed: #1f4fd8; --deed-ink: #ffffff; --bad: #b3261e;
  --note: #fff4d6; --note-ink: #5c4200; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef1f7; --soft: #a8b1c4; --line: #39425a;
  --card: #1a2133; --ground: #0e1320; --deed: #8ab0ff; --deed-ink: #0e1320; --bad: #ff9a92;
  --note: #3a2f10; --note-ink: #ffe3a0; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 26rem; background: var(--card); border-radius: 1rem;
  border: 1px solid var(--line); overflow: hidden; box-shadow: 0 10px 40px rgb(0 0 0 / 12%); }
main.own { border-top: .5rem solid #8a2f5b; }
.note { margin: 0; padding: .5rem 1.5rem; background: var(--note); color: var(--note-ink);
  font-size: .8125rem; }
.inside { padding: 1.5rem; }
h1 { font-size: 1.375rem; line-height: 1.25; margin: .25rem 0 .75rem; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); font-size: .875rem; }
ul { margin: 0 0 1rem; padding-left: 1.25rem; }
ol.way { list-style: none; display: flex; gap: .375rem; margin: 0 0 1rem; padding: 0; }
ol.way li { flex: 1; height: .25rem; border-radius: .25rem; background: var(--line); }
ol.way li.past { background: var(--deed); }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
input { width: 100%; font: inherit; padding: .625rem .75rem; margin-bottom: .875rem;
  color: inherit; background: transparent; border: 1px solid var(--soft); border-radius: .5rem; }
button, a.deed { display: block; width: 100%; font: inherit; font-weight: 600; cursor: pointer;
  padding: .75rem 1rem; border: 0; border-radius: .625rem; text-align: center;
  background: var(--deed); color: var(--deed-ink); text-decoration: none; }
button.choice { display: flex; justify-content: space-between; gap: 1rem; align-items: baseline;
  text-align: left; background: transparent; color: inherit; border: 1px solid var(--line);
  margin-bottom: .5rem; }
button.choice:hover { border-color: var(--deed); }
button.choice span { white-space: nowrap; font-weight: 400; font-size: .875rem;
  color: var(--soft); }
button.quiet { background: transparent; color: var(--soft); font-weight: 400;
  text-decoration: underline; padding: .5rem; margin-top: .5rem; }
:focus-visible { outline: 3px solid var(--deed); outline-offset: 2px; }
[role=alert] { color: var(--bad); font-weight: 600; }
"""
