// Compliance: reports on a period, and the evidence that records were not changed.
import { html, useMemo, useState } from "../lib/dom.js";
import { get, LONG_MS, save, send } from "../lib/api.js";
import { useAct, useLoaded, useTitle } from "../lib/hooks.js";
import { go, path } from "../lib/router.js";
import { Icon } from "../lib/icons.js";
import { Badge, Card, Copy, Facts, Loaded, Loading, SaveButton, Trouble } from "../lib/ui.js";
import { number, plural, seconds } from "../lib/format.js";
import { Report } from "./parts/report.js";

const ABOUT = {
  "pii-access": "Who read or sent personal data, and which kinds.",
  "token-use": "Which tokens were used, by whom, and where they came from.",
  "failed-auth": "What was denied, and what the bank answered with 401 or 403.",
  "access-changes": "Grants, consents, keys and users: who may do or see what.",
  money: "What moved money, and what perhaps did.",
};

const iso = (date) => date.toISOString().slice(0, 10);
const utcDate = (year, month, day = 1) => new Date(Date.UTC(year, month, day));

/** Periods that auditors ask for; days are UTC, as in the ledger. */
function presets(now = new Date()) {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const quarter = Math.floor(month / 3) * 3;
  const tomorrow = utcDate(year, month, day + 1);
  return [
    ["This month", utcDate(year, month), tomorrow],
    ["Last month", utcDate(year, month - 1), utcDate(year, month)],
    ["This quarter", utcDate(year, quarter), tomorrow],
    ["Last quarter", utcDate(year, quarter - 3), utcDate(year, quarter)],
    ["This year", utcDate(year, 0), tomorrow],
  ].map(([name, from, to]) => ({ name, from: iso(from), to: iso(to) }));
}

function Choose({ query, reports }) {
  const periods = useMemo(() => presets(), []);
  const [from, setFrom] = useState(query.get("from") ?? periods[0].from);
  const [to, setTo] = useState(query.get("to") ?? periods[0].to);
  const [name, setName] = useState(query.get("report") ?? reports[0]?.name);
  const parameters = { from, to };
  const show = (event) => {
    event.preventDefault();
    go(path("/compliance", { report: name, from, to }));
  };
  const preset = periods.find((one) => one.from === from && one.to === to)?.name ?? "own";
  const choose = (event) => {
    const one = periods.find((period) => period.name === event.target.value);
    if (one) {
      setFrom(one.from);
      setTo(one.to);
    }
  };
  return html`<form class="stack" onSubmit=${show}>
    <fieldset class="field"><legend class="unseen">Report</legend><div class="choices">${reports.map((one) => html`<label key=${one.name} class="choice">
      <input type="radio" name="report" value=${one.name} checked=${one.name === name} onChange=${() => setName(one.name)} /><span><b>${one.title}</b><span class="soft small">${ABOUT[one.name] ?? ""}</span></span></label>`)}</div></fieldset>
    <div class="row">
      <select class="period" aria-label="Period" value=${preset} onChange=${choose}>${periods.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}<option value="own">Own period</option></select>
      <label class="row"><span class="soft">from</span><input class="day" type="date" value=${from} max=${to} onInput=${(event) => setFrom(event.target.value)} required /></label>
      <label class="row"><span class="soft">to, not included</span><input class="day" type="date" value=${to} min=${from} onInput=${(event) => setTo(event.target.value)} required /></label>
      <span class="faint small">days in UTC</span>
      <span class="spacer"></span>
      <button class="button main">Show</button>
      ${[["html", "HTML"], ["csv", "CSV"], ["json", "JSON"]].map(([format, text]) => html`<${SaveButton} key=${format} path=${`/reports/${name}`} parameters=${{ ...parameters, format }} label=${`Download as ${text}`}>${text}</${SaveButton}>`)}
    </div></form>`;
}

function Shown({ query }) {
  const name = query.get("report");
  const parameters = { from: query.get("from"), to: query.get("to"), format: "json" };
  const key = JSON.stringify([name, parameters]);
  const state = useLoaded((signal) => get(`/reports/${encodeURIComponent(name)}`, parameters, signal, LONG_MS), key);
  if (state.problem) return html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`;
  if (!state.data || state.stale) return html`<${Card} title="Reading the ledger"><${Loading} lines=${8} label="The report is being made" /></${Card}>`;
  return html`<${Report} report=${state.data} />`;
}

function Verify() {
  const [result, set] = useState(null);
  const act = useAct(async () => set(await send("POST", "/evidence/verify", {}, LONG_MS)));
  return html`<div class="stack">
    <div class="row"><button type="button" class="button" disabled=${act.busy} onClick=${() => act.run()}>${act.busy ? "Checking…" : "Check all of it"}</button><span class="soft small">Journal, ledger, checkpoints and signatures of this node. Takes a while on a long ledger.</span></div>
    <${Trouble} problem=${act.problem} />
    <div role="status">${result && html`<div class="notice ${result.sound ? "good" : "bad"}"><b>${result.sound ? `Nothing was changed: ${plural(result.records, "record")} checked in ${seconds(result.took_ms / 1_000)}.` : "Something does not fit."}</b>
      ${(result.faults ?? []).length > 0 && html`<ul>${result.faults.map((fault, index) => html`<li key=${index}>${typeof fault === "string" ? fault : JSON.stringify(fault)}</li>`)}</ul>`}</div>`}</div></div>`;
}

function Evidence({ evidence }) {
  if (!evidence.enabled) return html`<p class="soft">This gateway seals no records: <code>[evidence]</code> in its configuration switches it on.</p>`;
  return html`<div class="stack">
    <${Facts} rows=${[
      ["State", html`<${Badge} tone=${evidence.failing ? "bad" : "good"}>${evidence.failing ? "no checkpoint is made; the log says why" : "sealed"}</${Badge}>`],
      ["Log", html`<code>${evidence.origin}</code>`],
      ["Records sealed", number(evidence.sealed_seq)],
      evidence.checkpoint && ["Newest root", html`<${Copy} text=${evidence.checkpoint.root} />`],
      ["Public keys", html`<div class="stack tight">${(evidence.keys ?? []).map((key) => html`<${Copy} key=${key} text=${key} />`)}</div>`],
    ]} />
    ${evidence.checkpoint && html`<details><summary>Checkpoint as signed</summary><pre tabindex="0">${evidence.checkpoint.text}</pre></details>`}
    <${Verify} /></div>`;
}

function Pack({ query, reports }) {
  const periods = useMemo(() => presets(), []);
  const name = query.get("report") ?? reports[0]?.name;
  const act = useAct(async (form) => {
    const call = form.calls.split(/[\s,]+/).filter(Boolean);
    await save("/evidence/pack", { report: form.report, from: form.from, to: form.to, call });
  });
  const take = (event) => {
    event.preventDefault();
    if (!act.busy) act.run(Object.fromEntries(new FormData(event.target)));
  };
  return html`<form class="stack" onSubmit=${take}>
    <p class="soft">One archive for the auditor: the report, proofs of the calls that you name, the newest checkpoint, the public keys, and how to check them without Egret.</p>
    <div class="grid-2">
      <label class="field"><span>Report</span><select name="report">${reports.map((one) => html`<option key=${one.name} value=${one.name} selected=${one.name === name}>${one.title}</option>`)}</select></label>
      <label class="field"><span>From</span><input type="date" name="from" defaultValue=${query.get("from") ?? periods[0].from} required /></label>
      <label class="field"><span>To, not included</span><input type="date" name="to" defaultValue=${query.get("to") ?? periods[0].to} required /></label></div>
    <label class="field"><span>Calls to prove</span><textarea name="calls" spellcheck="false" placeholder="Call ids, one a line; none is fine"></textarea></label>
    <div class="row"><span class="spacer"></span><button class="button main" disabled=${act.busy}><${Icon} name="download" />${act.busy ? "Making it…" : "Evidence pack"}</button></div><${Trouble} problem=${act.problem} /></form>`;
}

export function Compliance({ route }) {
  useTitle("Compliance");
  const { query } = route;
  const reports = useLoaded((signal) => get("/reports", {}, signal), "reports");
  const evidence = useLoaded((signal) => get("/evidence", {}, signal), "evidence", { every: 30_000 });
  return html`<div class="page">
    <div class="page-head"><h1>Compliance</h1><p>What auditors ask for. Each report and export goes on record with your name.</p></div>
    <${Card} title="Report on a period"><${Loaded} state=${reports} lines=${5}>${(data) => html`<${Choose} key=${query.get("report")} query=${query} reports=${data.reports} />`}</${Loaded}></${Card}>
    ${query.get("report") && html`<${Shown} query=${query} />`}
    <div class="cols"><${Card} className="w6 even" title="Evidence"><${Loaded} state=${evidence} lines=${5}>${(data) => html`<${Evidence} evidence=${data} />`}</${Loaded}></${Card}>
      <${Card} className="w6 even" title="Evidence pack"><${Loaded} state=${reports} lines=${5}>${(data) => html`<${Pack} query=${query} reports=${data.reports} />`}</${Loaded}></${Card}></div>
  </div>`;
}
