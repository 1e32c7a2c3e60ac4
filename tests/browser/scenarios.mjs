// What people do in the console. Each scenario has a browser of its own.
import { check, same, saved, until } from "./stage.mjs";

const rows = (page) => page.locator("tr[data-row]");
const query = (page) => new URL(page.url()).searchParams;

export async function signing_in(stage, set) {
  const page = await stage.person();
  page.allowed.add("401 /api/v1/session");
  await page.goto(`${set.admin}/calls?outcome=failure`);
  await page.getByLabel("Admin key").fill("ega_this-opens-nothing");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  check((await page.getByLabel("Admin key").inputValue()) === "", "the wrong key is not kept on the page");
  await stage.accessible(page, "sign in");
  await stage.shot(page, "sign-in");
  await page.getByLabel("Admin key").fill(set.keys.auditor);
  await page.getByRole("button", { name: "Sign in" }).click();
  // The page that was asked for, with its conditions.
  await page.getByRole("heading", { level: 1, name: "Calls" }).waitFor();
  await page.getByRole("button", { name: "Remove Outcome failure" }).waitFor();
  check((await page.evaluate(() => document.cookie)) === "", "the session cannot be read by scripts");
  await stage.read(page, "after signing in");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin key").waitFor();
  page.allowed.add("401 /api/v1/me");
  await page.reload();
  await page.getByLabel("Admin key").waitFor();
}

export async function now(stage, set) {
  for (const scheme of ["light", "dark"]) {
    const page = await stage.person({ scheme });
    await stage.signIn(page, set.keys.operator);
    await page.getByRole("table", { name: "Breakers" }).getByText("closed").first().waitFor();
    await page.getByRole("img", { name: /Calls per second\. Succeeded: last/ }).waitFor();
    await page.getByRole("img", { name: /Latency of calls\. p99/ }).waitFor();
    await page.getByRole("table", { name: /rate limits/ }).getByRole("row").nth(1).waitFor();
    const records = page.getByRole("region", { name: "Records" });
    await until("journal, ledger and seal are well", async () => (await records.getByText("well", { exact: true }).count()) === 3);
    const incidents = page.getByRole("region", { name: "Incidents" });
    await incidents.getByRole("link", { name: /./ }).first().waitFor();
    await stage.accessible(page, `now, ${scheme}`);
    await stage.shot(page, `now-${scheme}`);
  }
}

export async function marks_of_time(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.viewer);
  const marks = await page.evaluate(async () => {
    const app = document.querySelector('script[src$="/app.js"]').src;
    const { timeMarks } = await import(app.replace("app.js", "lib/format.js"));
    const from = Date.UTC(2026, 10, 22, 9) / 1_000;
    return [5, 30, 60, 3_600, 6 * 3_600, 86_400].map((step) => timeMarks(Array.from({ length: 12 }, (_, index) => from + index * step), step));
  });
  for (const row of marks) {
    check(row.every((mark, index) => index === 0 || mark !== row[index - 1]), `no two marks beside each other are the same: ${row.join(" ")}`);
  }
}

export async function searching(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.auditor);
  await stage.visit(page, "/calls", "Calls");
  const all = await rows(page).count();
  check(all > 5, "calls are listed");
  await page.getByLabel("Search calls").fill(set.caller);
  await until("the word is in the address", () => query(page).get("q") === set.caller);
  await until("only calls of the caller are listed", async () => {
    const callers = await page.locator("tr[data-row] td:nth-child(2)").allInnerTexts();
    return callers.length > 0 && callers.every((one) => one === set.caller);
  });
  // A reload changes nothing.
  await page.reload();
  await until("the word is still there", async () => (await page.getByLabel("Search calls").inputValue()) === set.caller);
  await stage.quiet(page);
  // Enter makes a chip of it.
  await page.getByLabel("Search calls").press("Enter");
  await until("the word becomes a chip", () => query(page).get("caller") === set.caller);
  check(query(page).get("q") === null, "the word is a condition instead");
  // A condition by the menu.
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await page.getByRole("combobox", { name: "Condition" }).selectOption("outcome");
  await page.getByRole("combobox", { name: "Value" }).selectOption("success");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await until("it is in the address", () => query(page).get("outcome") === "success");
  await stage.quiet(page);
  // Back takes it away, and on brings it again.
  await page.goBack();
  await until("back", () => query(page).get("outcome") === null);
  await page.goForward();
  await until("forward", () => query(page).get("outcome") === "success");
  await stage.shot(page, "calls-chips");
  await page.getByRole("button", { name: /Remove Caller/ }).click();
  await page.getByRole("button", { name: /Remove Outcome/ }).click();
  await until("no condition is left", () => query(page).get("caller") === null && query(page).get("outcome") === null);
  // Words that mean nothing are said to, and are in no address.
  await page.getByLabel("Search calls").fill("Ermintrude");
  await page.getByText("Nothing on record is called “Ermintrude”").waitFor();
  check(!page.url().includes("Ermintrude"), "an unknown word is not in the address");
  await page.getByLabel("Search calls").press("Escape");
  await until("the words are gone", async () => (await page.getByLabel("Search calls").inputValue()) === "");
  // The beginning of a word is enough, with the arrows.
  await page.getByLabel("Search calls").pressSequentially("fail");
  await page.getByRole("option", { name: "Outcome failure" }).waitFor();
  await page.getByLabel("Search calls").press("ArrowDown");
  await stage.shot(page, "calls-offers");
  await page.getByLabel("Search calls").press("Enter");
  await until("it becomes a condition", () => query(page).get("outcome") === "failure");
}

export async function a_customer_is_found_by_the_raw_guid_which_goes_nowhere(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.auditor);
  await stage.visit(page, "/calls", "Calls");
  await page.getByLabel("Search calls").pressSequentially(set.guid, { delay: 5 });
  await page.getByRole("button", { name: /Remove Person or account/ }).waitFor();
  check((await page.getByLabel("Search calls").inputValue()) === "", "the GUID is gone from the field");
  await stage.quiet(page);
  check((await rows(page).count()) > 0, "the customer's calls are found");
  await stage.shot(page, "calls-customer");
}

export async function a_call_with_its_proof(stage, set) {
  for (const scheme of ["light", "dark"]) {
    const page = await stage.person({ scheme });
    await stage.signIn(page, set.keys.auditor);
    await stage.visit(page, `/calls?caller=${set.caller}`, "Calls");
    await rows(page).nth(1).getByRole("link").first().click();
    const panel = page.getByRole("complementary", { name: /^Call / });
    await panel.getByRole("list", { name: "Where the time went" }).waitFor();
    await until("the call is sealed", async () => {
      if (await panel.getByText("sealed", { exact: true }).isVisible()) return true;
      await page.reload();
      await panel.getByRole("heading", { name: "Proof" }).waitFor();
      return panel.getByText("sealed", { exact: true }).isVisible();
    });
    check(page.url().includes("/calls/0") && page.url().includes("caller="), "the call and the conditions are in the address");
    await stage.accessible(page, `call, ${scheme}`);
    await stage.shot(page, `call-${scheme}`);
    if (scheme === "light") {
      const proof = await saved(page, () => panel.getByRole("button", { name: "Proof file" }).click());
      check(proof.name.endsWith(".tlog-proof") && proof.bytes.toString().startsWith("c2sp.org/tlog-proof"), `a proof file: ${proof.name}`);
    }
    await panel.getByRole("button", { name: "Close the call" }).click();
    await panel.waitFor({ state: "detached" });
  }
}

export async function exporting(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.auditor);
  await stage.visit(page, `/calls?caller=${set.caller}`, "Calls");
  await page.getByRole("button", { name: "Export" }).click();
  const file = await saved(page, () => page.getByRole("button", { name: "CSV for spreadsheets" }).click());
  const text = file.bytes.toString();
  stage.scan("the export", text);
  const lines = text.trim().split("\n");
  check(lines[0].includes("call_id") && lines.length > 2, `a table with a header: ${lines[0]}`);
  check(lines.slice(1).every((line) => line.includes(set.caller)), "only what meets the conditions");
  await page.getByRole("button", { name: "Export" }).click();
  const other = await saved(page, () => page.getByRole("button", { name: "JSON Lines" }).click());
  check(JSON.parse(other.bytes.toString().split("\n")[0]).caller === set.caller, "a call a line");
}

export async function live(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.operator);
  await stage.visit(page, "/calls", "Calls");
  await page.getByRole("button", { name: "Live" }).click();
  await until("a call appears", async () => {
    await fetch(`${set.gateway}/cybrid/bank/api/banks`);
    return (await rows(page).count()) > 0;
  });
  await stage.shot(page, "calls-live");
  await page.getByRole("button", { name: "Live" }).click();
  await stage.quiet(page);
}

export async function keyboard_alone(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.operator);
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.getAttribute("aria-label"));
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  await page.keyboard.press("Tab");
  await same(await focused(), "Skip to the page", "the first stop");
  await page.keyboard.press("Enter");
  check(await page.evaluate(() => document.activeElement.id === "main"), "the link skips to the page");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor({ state: "detached" });
  for (const [letter, name] of [["t", "Tokens"], ["i", "Incidents"], ["p", "Callers & policy"], ["n", "Now"], ["c", "Calls"]]) {
    await page.keyboard.press("g");
    await page.keyboard.press(letter);
    await page.getByRole("heading", { level: 1, name }).waitFor();
  }
  await rows(page).first().waitFor();
  await page.keyboard.press("/");
  check((await focused()) === "Search calls", "the search has the focus");
  await page.keyboard.type(set.caller);
  await until("the search is done", () => query(page).get("q") === set.caller);
  await stage.quiet(page);
  // What it could be, the words, the field: each is left by Escape.
  for (let step = 0; step < 3; step += 1) await page.keyboard.press("Escape");
  check((await focused()) !== "Search calls", "the field is left");
  await until("the words are gone", () => query(page).get("q") === null);
  await stage.quiet(page);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("j");
  const second = await rows(page).nth(1).getByRole("link").first().getAttribute("href");
  check((await page.evaluate(() => document.activeElement.getAttribute("href"))) === second, "j and k walk the rows");
  await page.keyboard.press("Enter");
  await page.getByRole("complementary", { name: /^Call / }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Escape");
  await page.getByRole("complementary", { name: /^Call / }).waitFor({ state: "detached" });
  check(await page.evaluate(() => document.activeElement.closest("[data-row]") !== null), "the focus is back in the list");
  // Every place that Tab stops at can be seen to have the focus.
  for (let step = 0; step < 25; step += 1) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return document.activeElement === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
    });
    check(seen, `the focus can be seen on ${await focused()}`);
  }
}

export async function incidents(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.operator);
  await stage.visit(page, "/incidents", "Incidents");
  await page.locator(`a[href="/incidents/${set.incidents[0]}"]`).click();
  const panel = page.getByRole("complementary", { name: new RegExp(set.incidents[0]) });
  await panel.getByRole("heading", { name: "What to do" }).waitFor();
  await stage.accessible(page, "incident");
  await stage.shot(page, "incident-light");
  await panel.getByRole("button", { name: "Acknowledge" }).click();
  await panel.getByText("taken", { exact: true }).waitFor();
  await panel.getByText("Acknowledged by").waitFor();
  await panel.getByRole("button", { name: "Acknowledge" }).waitFor({ state: "detached" });
  await page.reload();
  await panel.getByText("taken", { exact: true }).waitFor();
  await panel.getByRole("button", { name: "Silence…" }).click();
  const silence = page.getByRole("dialog", { name: "Silence what is known" });
  await silence.getByLabel("Reason").fill("a planned migration");
  await silence.getByRole("button", { name: "Silence" }).click();
  await silence.waitFor({ state: "detached" });
  await page.reload();
  await page.getByRole("table", { name: /nobody is told/ }).getByRole("button", { name: "End" }).click();
  await page.getByRole("table", { name: /nobody is told/ }).waitFor({ state: "detached" });
  await panel.getByRole("button", { name: "Close…" }).click();
  const dialog = page.getByRole("dialog", { name: /^Close inc/ });
  await dialog.getByLabel("Reason").fill("a load test of ours");
  await dialog.getByRole("button", { name: "Close the incident" }).click();
  await panel.getByText("closed", { exact: true }).first().waitFor();
  await panel.getByText("a load test of ours").first().waitFor();
  // The other one stays, and the dark page shows it.
  const dark = await stage.person({ scheme: "dark" });
  await stage.signIn(dark, set.keys.operator);
  await stage.visit(dark, `/incidents/${set.incidents[1]}`, "Incidents");
  await dark.getByRole("heading", { name: "Its life" }).waitFor();
  await stage.accessible(dark, "incident, dark");
  await stage.shot(dark, "incident-dark");
}

export async function locking_and_lifting(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.operator);
  await stage.visit(page, "/policy?tab=lockdown", "Callers & policy");
  await page.getByRole("button", { name: "Lock down…" }).click();
  const dialog = page.getByRole("dialog", { name: "Lock down" });
  await dialog.getByLabel("Which").fill(set.other);
  await dialog.getByLabel("Reason").fill("case 31");
  await stage.accessible(page, "lock dialog");
  await stage.shot(page, "lock-dialog");
  await dialog.getByRole("button", { name: "Lock down" }).click();
  await dialog.waitFor({ state: "detached" });
  const locks = page.getByRole("table", { name: "Locks in force" });
  await locks.getByText(`caller:${set.other}`).waitFor();
  await page.getByRole("link", { name: "Lockdown" }).first().waitFor();
  await stage.shot(page, "lockdown");
  const refused = () => fetch(`${set.gateway}/cybrid/bank/api/banks`, { headers: { "Proxy-Authorization": set.other_key } });
  await until("calls of the caller are refused", async () => (await refused()).status === 403);
  await locks.getByRole("button", { name: `Lift the lock on caller:${set.other}` }).click();
  const lift = page.getByRole("dialog", { name: /^Lift the lock/ });
  await lift.getByLabel("Reason").fill("case 31 is closed");
  await lift.getByRole("button", { name: "Lift" }).click();
  await page.getByText("Nothing is locked down.").waitFor();
  await until("calls of the caller go through again", async () => (await refused()).status !== 403);
}

const ask = (page, method, path, body) => page.evaluate(async ([one, two, three]) => {
  const answer = await fetch(two, { method: one, headers: { "Content-Type": "application/json" }, body: three });
  return answer.status;
}, [method, path, body === undefined ? undefined : JSON.stringify(body)]);

export async function roles(stage, set) {
  const viewer = await stage.person();
  await stage.signIn(viewer, set.keys.viewer);
  await same(await viewer.getByRole("navigation", { name: "Pages" }).getByRole("link").allInnerTexts(), ["Now"], "the pages of a viewer");
  await stage.shot(viewer, "viewer");
  await viewer.goto(`${set.admin}/calls`);
  await viewer.getByText("Your roles do not allow this.").waitFor();
  for (const path of ["/api/v1/calls", "/api/v1/incidents", "/api/v1/config", "/api/v1/calls/export"]) {
    viewer.allowed.add(`403 ${path}`);
    await same(await ask(viewer, "GET", path), 403, path);
  }
  const auditor = await stage.person();
  await stage.signIn(auditor, set.keys.auditor);
  await stage.visit(auditor, `/incidents/${set.incidents[1]}`, "Incidents");
  await auditor.getByRole("heading", { name: "Its life" }).waitFor();
  for (const name of ["Acknowledge", "Close…", "Silence…"]) await same(await auditor.getByRole("button", { name }).count(), 0, name);
  await stage.visit(auditor, "/policy?tab=lockdown", "Callers & policy");
  await auditor.getByText("Nothing is locked down.").waitFor();
  await same(await auditor.getByRole("button", { name: /Lock down/ }).count(), 0, "the way to lock down");
  for (const [path, body] of [["/api/v1/lockdown", { target: "all", reason: "x", for: null, here: false }], [`/api/v1/incidents/${set.incidents[1]}/ack`, {}]]) {
    auditor.allowed.add(`403 ${path}`);
    await same(await ask(auditor, "POST", path, body), 403, path);
  }
  const operator = await stage.person();
  await stage.signIn(operator, set.keys.operator);
  check(!(await operator.getByRole("navigation", { name: "Pages" }).getByRole("link").allInnerTexts()).includes("Compliance"), "operators take nothing away in bulk");
  operator.allowed.add("403 /api/v1/calls/export");
  await same(await ask(operator, "GET", "/api/v1/calls/export"), 403, "an operator's export");
}

export async function light_and_dark(stage, set) {
  const page = await stage.person({ scheme: "light" });
  await stage.signIn(page, set.keys.viewer);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  check(light !== dark, "the system's choice holds");
  await page.getByRole("button", { name: /Appearance: system/ }).click();
  await same(await ground(), light, "light though the system is dark");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  await same(await ground(), light, "a reload keeps it");
  await page.getByRole("button", { name: /Appearance: light/ }).click();
  await same(await ground(), dark, "dark by choice");
}

export async function tokens(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.auditor);
  await stage.visit(page, "/tokens", "Tokens");
  await page.getByRole("table", { name: /Tokens minted/ }).getByText(set.caller).first().waitFor();
  await page.getByRole("img", { name: /^Tokens minted\. / }).waitFor();
  await stage.accessible(page, "tokens");
  await stage.shot(page, "tokens");
  await page.getByRole("button", { name: "Customer", exact: true }).click();
  await page.getByLabel(/^customer:/).fill(set.guid);
  await page.getByRole("button", { name: "Investigate" }).click();
  await until("the pseudonym is in the address", () => /^[0-9a-f]{32}$/.test(query(page).get("value") ?? ""));
  await page.getByRole("heading", { name: /^Lineage of customer/ }).waitFor();
  await page.getByText(/^Made .* by /).waitFor();
  await stage.shot(page, "lineage-customer");
  await stage.visit(page, `/tokens?of=token&value=${set.token}`, "Tokens");
  await page.getByText(/^Made .* by /).waitFor();
  await stage.accessible(page, "lineage");
  await stage.shot(page, "lineage-token");
}

export async function compliance(stage, set) {
  for (const scheme of ["light", "dark"]) {
    const page = await stage.person({ scheme });
    await stage.signIn(page, set.keys.auditor);
    await stage.visit(page, "/compliance", "Compliance");
    await page.getByRole("radio", { name: /Use of tokens/ }).check();
    await page.getByRole("button", { name: "Show" }).click();
    await until("the report is in the address", () => query(page).get("report") === "token-use");
    await page.getByText(/^Made .* by /).waitFor();
    await stage.quiet(page);
    await stage.accessible(page, `compliance, ${scheme}`);
    await stage.shot(page, `compliance-${scheme}`);
    if (scheme === "dark") continue;
    for (const [name, begins] of [["HTML", "<!doctype html"], ["CSV", ""], ["JSON", "{"]]) {
      const file = await saved(page, () => page.getByRole("button", { name: `Download as ${name}` }).click());
      const text = file.bytes.toString();
      stage.scan(`the report as ${name}`, text);
      check(text.toLowerCase().trimStart().startsWith(begins) && text.length > 100, `the report as ${name}: ${text.slice(0, 60)}`);
    }
    await page.getByRole("button", { name: "Check all of it" }).click();
    await page.getByText(/^Nothing was changed/).waitFor();
    const pack = await saved(page, () => page.getByRole("button", { name: "Evidence pack" }).click());
    check(pack.name.endsWith(".tar") && pack.bytes.length > 1024, `an archive: ${pack.name}`);
    stage.scan("the evidence pack", pack.bytes.toString("latin1"));
  }
}

export async function callers_and_policy(stage, set) {
  const page = await stage.person();
  await stage.signIn(page, set.keys.auditor);
  await stage.visit(page, "/policy", "Callers & policy");
  await page.getByRole("rowheader", { name: set.caller }).waitFor();
  await stage.accessible(page, "callers");
  await stage.shot(page, "callers");
  await page.getByRole("navigation", { name: "Parts of this page" }).getByRole("link", { name: "Policy", exact: true }).click();
  await page.getByRole("rowheader", { name: /cybrid/i }).waitFor();
  await stage.shot(page, "policy");
  await page.getByRole("link", { name: "Configuration" }).click();
  await page.getByRole("rowheader", { name: "node", exact: true }).waitFor();
  await page.getByLabel("Find a key").fill("admin");
  await until("only such keys are shown", async () => {
    const keys = await page.getByRole("rowheader").allInnerTexts();
    return keys.length > 0 && keys.every((key) => key.includes("admin"));
  });
  await stage.shot(page, "config");
}

export async function tablet(stage, set) {
  const page = await stage.person({ width: 820, height: 1180 });
  await stage.signIn(page, set.keys.auditor);
  for (const [path, heading] of [["/", "Now"], ["/calls", "Calls"], ["/tokens", "Tokens"], ["/incidents", "Incidents"], ["/compliance", "Compliance"], ["/policy", "Callers & policy"]]) {
    await stage.visit(page, path, heading);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, `${path} is ${wide} pixels too wide for a tablet`);
    await stage.shot(page, `tablet-${heading.split(" ")[0].toLowerCase()}`);
  }
}
