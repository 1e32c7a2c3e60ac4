// Runs every scenario against a running gateway, and says as JSON how each went.
//
// EGRET_CONSOLE names a file: {"admin", "gateway", "keys": {"operator", "auditor", "viewer"},
// "caller", "other", "operation", "guid", "incidents": [id, id], "token", "canaries", "shots", "chromium"}.
import { readFile } from "node:fs/promises";
import { Stage } from "./stage.mjs";
import * as scenarios from "./scenarios.mjs";

const set = JSON.parse(await readFile(process.env.EGRET_CONSOLE, "utf8"));
const wanted = process.argv.slice(2);
const stage = new Stage(set);
await stage.open();
const results = [];
for (const [name, run] of Object.entries(scenarios)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  stage.faults = [];
  const began = Date.now();
  let error = null;
  try {
    await run(stage, set);
  } catch (thrown) {
    error = thrown.stack;
    for (const context of stage.browser.contexts()) {
      for (const page of context.pages()) await page.screenshot({ path: `${set.shots}/failed-${name}.png` }).catch(() => {});
    }
  }
  for (const context of stage.browser.contexts()) await context.close();
  const faults = [...new Set(stage.faults)];
  results.push({ name, ok: error === null && faults.length === 0, took_ms: Date.now() - began, error, faults });
}
await stage.close();
console.log(JSON.stringify({ ok: results.length > 0 && results.every((one) => one.ok), scenarios: results }, null, 2));
