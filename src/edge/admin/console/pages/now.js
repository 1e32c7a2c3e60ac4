// Now: whether the banks, the budgets and the ledger are well, at a glance.
import { html, useMemo, useState } from "../lib/dom.js";
import { get, send } from "../lib/api.js";
import { useAct, useLoaded, useTitle } from "../lib/hooks.js";
import { usePulse } from "../lib/pulse.js";
import { useMay } from "../lib/session.js";
import { Link } from "../lib/router.js";
import { Plot } from "../lib/plot.js";
import { Act, Badge, Card, Dialog, Empty, Facts, Loading, Meter, say, Segments, Spark, Table, Time, Trouble } from "../lib/ui.js";
import { bytes, compact, micros, number, percent, plural, rate, sentence, span } from "../lib/format.js";
import { Severity } from "./parts/incident.js";

const MINUTE_S = 60;
/** A budget is short of calls below this part of it, and all but spent below the other. */
const LOW = 0.25;
const EMPTY = 0.1;
/** Breakers that are shown though nothing is the matter with them. */
const CALM = 5;

const sum = (values) => values.reduce((all, value) => all + (value ?? 0), 0);
const last = (values) => {
  for (let index = values.length - 1; index >= Math.max(0, values.length - 12); index -= 1) {
    if (values[index] !== null && values[index] !== undefined) return values[index];
  }
  return null;
};

/** The part of the history that is shown. */
function cut(look, minutes) {
  const { history, seconds } = look;
  if (!history) return null;
  const count = Math.min(seconds.length, Math.round((minutes * 60) / history.step_s));
  const part = (values) => (values ?? []).slice(-count);
  return { step: history.step_s, at: part(seconds), part, history };
}

/** A name of parts, broken only between them. */
function Dotted({ name }) {
  return name.split(".").map((part, index) => (index === 0 ? part : html`<wbr key=${index} />.${part}`));
}

function Stat({ label, value, unit, note, tone = "" }) {
  return html`<div class="stat ${tone}"><dt>${label}</dt><dd>${value}${unit && html`<small>${unit}</small>`}${note && html`<div class="note">${note}</div>`}</dd></div>`;
}

function Stats({ look }) {
  const { history } = look;
  const step = history?.step_s ?? 5;
  const samples = Math.max(1, Math.round(MINUTE_S / step));
  const recent = (name) => (history ? history[name].slice(-samples) : []);
  const length = Math.max(1, recent("calls").length) * step;
  const calls = sum(recent("calls"));
  const failed = sum(recent("failed"));
  const errors = calls > 0 ? failed / calls : null;
  const lag = look.ledger?.lag_us ?? null;
  const open = look.incidents?.open ?? 0;
  return html`<dl class="stats" aria-label="The last minute">
    <${Stat} label="Calls" value=${rate(calls / length)} unit="/s" note=${`${number(look.calls_in_flight)} in flight`} />
    <${Stat} label="Errors" value=${percent(errors)} tone=${errors > 0.05 ? "bad" : errors > 0.01 ? "warn" : ""} note=${`${number(failed)} in a minute`} />
    <${Stat} label="Latency p50" value=${micros(history && last(history.p50_us))} note="half of the calls" />
    <${Stat} label="Latency p95" value=${micros(history && last(history.p95_us))} note=${`p99 ${micros(history && last(history.p99_us))}`} />
    <${Stat} label="Ledger behind" value=${lag === null ? "–" : micros(lag)} tone=${look.ledger && !look.ledger.ok ? "bad" : ""} note=${look.ledger ? plural(look.ledger.lag_events, "event") : "not running"} />
    <${Stat} label="Open incidents" value=${number(open)} tone=${open > 0 ? "bad" : ""} note=${`${number(look.incidents?.acknowledged ?? 0)} taken`} />
    <${Stat} label="Locks" value=${number(look.locks)} tone=${look.locks > 0 ? "warn" : ""} note=${`${number(look.connections)} connections`} />
  </dl>`;
}

function Faults({ look }) {
  const red = Object.entries(look.checks ?? {}).filter(([, check]) => !check.ok);
  if (red.length === 0) return null;
  return html`<div class="notice bad" role="alert"><b>${look.stage === "serving" ? "The gateway is not ready for calls." : `The gateway is ${look.stage}.`}</b>
    <ul class="stack tight">${red.map(([name, check]) => html`<li key=${name}><b>${sentence(name)}:</b> ${check.why}. <span class="soft">${sentence(check.advice)}.</span></li>`)}</ul></div>`;
}

const perSecond = (value) => rate(value);

function Traffic({ look, minutes }) {
  const shown = useMemo(() => {
    const range = cut(look, minutes);
    if (!range || range.at.length < 2) return null;
    const { history, part, step } = range;
    const calls = part(history.calls);
    const failed = part(history.failed);
    const denied = part(history.denied);
    const ofStep = (values) => values.map((value) => (value === null ? null : value / step));
    return {
      at: range.at,
      traffic: [
        { name: "Succeeded", colour: "--plot-1", values: ofStep(calls.map((all, index) => (all === null ? null : Math.max(0, all - (failed[index] ?? 0) - (denied[index] ?? 0))))) },
        { name: "Denied", colour: "--plot-5", values: ofStep(denied) },
        { name: "Failed", colour: "--plot-bad", values: ofStep(failed) },
      ],
      latency: [
        { name: "p99", colour: "--plot-4", values: part(history.p99_us), joined: true },
        { name: "p95", colour: "--plot-2", values: part(history.p95_us), joined: true },
        { name: "p50", colour: "--plot-1", values: part(history.p50_us), joined: true },
      ],
    };
  }, [look, minutes]);
  if (!shown) return html`<${Card} title="Traffic"><${Empty} title="The first figures come in a few seconds." /></${Card}>`;
  return html`<div class="cols">
    <${Card} className="w6" title="Traffic" aside=${html`<span class="faint small">calls per second</span>`}><${Plot} label="Calls per second" at=${shown.at} series=${shown.traffic} format=${perSecond} stacked group="now" /></${Card}>
    <${Card} className="w6" title="Latency" aside=${html`<span class="faint small">whole call, as the caller sees it</span>`}><${Plot} label="Latency of calls" at=${shown.at} series=${shown.latency} format=${micros} group="now" /></${Card}>
  </div>`;
}

/** Seconds until a budget is spent if it goes on as in the last half minute; null if it does not fall. */
function runsOut(values, step) {
  const known = values.slice(-Math.max(2, Math.round(30 / step))).filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return null;
  const fall = (known[0] - known[known.length - 1]) / ((known.length - 1) * step);
  return fall > 0 ? known[known.length - 1] / fall : null;
}

function Budgets({ look, minutes }) {
  const range = cut(look, minutes);
  if (look.budgets.length === 0) return html`<${Empty} title="No bank limits how often it may be called.">Limits come with the provider files.</${Empty}>`;
  return html`<${Table} caption="What is left of the banks’ rate limits" className="dense" head=${["Budget", { name: "Left", number: true }, "Burn-down", "Spent in", { name: "Waiting", number: true }, { name: "Throttled", number: true }]}>
    ${look.budgets.map((budget) => {
      const part = budget.limit > 0 ? budget.remaining / budget.limit : 0;
      const tone = part <= EMPTY ? "bad" : part <= LOW ? "warn" : "";
      const history = range ? range.part(range.history.budgets?.[budget.name]?.remaining) : [];
      const left = runsOut(history, range?.step ?? 5);
      return html`<tr key=${budget.name}><th scope="row" class="nowrap">${budget.name}</th>
        <td class="number nowrap">${number(budget.remaining)} <span class="faint">/ ${number(budget.limit)}</span><${Meter} part=${part} tone=${tone} /></td>
        <td><${Spark} values=${history} max=${budget.limit} label=${`${budget.name}: ${number(budget.remaining)} of ${number(budget.limit)} left`} /></td>
        <td class="nowrap">${budget.remaining === 0 ? html`<${Badge} tone="bad">spent</${Badge}>` : left !== null && left < 600 ? html`<${Badge} tone=${left < 60 ? "bad" : "warn"}>${span(left)}</${Badge}>` : html`<span class="faint">not soon</span>`}</td>
        <td class="number">${budget.waiting > 0 ? html`<${Badge} tone="warn">${number(budget.waiting)}</${Badge}>` : html`<span class="faint">0</span>`}</td>
        <td class="number">${budget.throttled + budget.refused > 0 ? number(budget.throttled + budget.refused) : html`<span class="faint">0</span>`}</td></tr>`;
    })}</${Table}>`;
}

const BREAKER = { closed: ["good", "closed"], half_open: ["warn", "probing"], open: ["bad", "open"] };

function ResetDialog({ name, onClose, done }) {
  const act = useAct(async () => {
    await send("POST", `/breakers/${encodeURIComponent(name)}/reset`, {});
    say(`The breaker of ${name} is closed: calls go there again.`);
    done();
  });
  return html`<${Dialog} title="Close the breaker" onClose=${onClose}><${Act} act=${act} label="Close the breaker" onCancel=${onClose}>
    <p>Calls go to <b class="break">${name}</b> again at once. If it still fails, the breaker opens as before. This goes on record with your name.</p></${Act}></${Dialog}>`;
}

function Breakers({ look }) {
  const mayAct = useMay("act");
  const beat = usePulse();
  const [resetting, reset] = useState(null);
  const [all, setAll] = useState(false);
  const close = () => reset(null);
  if (look.breakers.length === 0) return html`<${Empty} title="No bank has been called yet." />`;
  const order = { open: 0, half_open: 1, closed: 2 };
  const sorted = [...look.breakers].sort((a, b) => order[a.state] - order[b.state] || a.name.localeCompare(b.name));
  const shown = all ? sorted : sorted.filter((group, index) => index < CALM || group.state !== "closed");
  return html`<${Table} caption="Breakers, by part of a bank’s interface" className="dense" head=${["Part", "Breaker", { name: "In flight", number: true }, { name: "Opened", number: true }]}>
    ${shown.map((group) => html`<tr key=${group.name}><th scope="row"><${Dotted} name=${group.name} /></th>
      <td class="nowrap"><${Badge} tone=${(BREAKER[group.state] ?? [""])[0]}>${(BREAKER[group.state] ?? ["", group.state])[1]}</${Badge}>${mayAct && group.state !== "closed" && html` <button type="button" class="button tiny" aria-label=${`Close the breaker of ${group.name}`} onClick=${() => reset(group.name)}>Close…</button>`}</td>
      <td class="number nowrap">${number(group.in_flight)} <span class="faint">/ ${number(group.limit)}</span>${group.waiting > 0 && html` <${Badge} tone="warn">${group.waiting} waiting</${Badge}>`}</td>
      <td class="number">${group.opened > 0 ? number(group.opened) : html`<span class="faint">0</span>`}</td></tr>`)}</${Table}>
  ${(all || shown.length < sorted.length) && html`<div class="card-foot"><button type="button" class="button quiet tiny" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show ${sorted.length - shown.length} more, all closed`}</button></div>`}
  ${resetting && html`<${ResetDialog} name=${resetting} onClose=${close} done=${() => { close(); beat.refresh(); }} />`}`;
}

function Providers({ look }) {
  const mayCalls = useMay("calls");
  if (look.providers.length === 0) return html`<${Empty} title="No calls in the last minute." />`;
  const name = (id) => (mayCalls ? html`<${Link} to=${`/calls?provider=${encodeURIComponent(id)}&from=15m`}>${id}</${Link}>` : id);
  return html`<${Table} caption="Banks in the last full minute" className="dense" head=${["Bank", { name: "Calls", number: true }, { name: "Failed", number: true }, { name: "Denied", number: true }, { name: "Mints", number: true }, { name: "p50", number: true }, { name: "p95", number: true }, { name: "p99", number: true }]}>
    ${look.providers.map((one) => html`<tr key=${one.provider}><th scope="row">${name(one.provider)}</th>
      <td class="number">${compact(one.calls)}</td>
      <td class="number">${one.failed > 0 ? html`${number(one.failed)} <span class="faint">${percent(one.failed / one.calls)}</span>` : html`<span class="faint">0</span>`}</td>
      <td class="number">${number(one.denied)}</td><td class="number">${number(one.mints)}</td>
      <td class="number nowrap">${micros(one.p50_us)}</td><td class="number nowrap">${micros(one.p95_us)}</td><td class="number nowrap">${micros(one.p99_us)}</td></tr>`)}</${Table}>`;
}

const state = (good, word = "well") => html`<${Badge} tone=${good ? "good" : "bad"}>${good ? word : "failing"}</${Badge}>`;

function Records({ look }) {
  const { journal, ledger, evidence } = look;
  return html`<${Facts} rows=${[
    ["Journal", journal ? html`<span class="row">${state(journal.ok)} <span class="soft">${bytes(journal.undrained_bytes)} of ${bytes(journal.max_bytes)} waiting</span></span>` : html`<span class="faint">starting</span>`],
    journal && ["Not recorded", html`<span class="soft">${plural(journal.refused, "call")} refused for it, ${number(journal.shed)} let through</span>`],
    ["Ledger", ledger ? html`<span class="row">${state(ledger.ok)} <span class="soft">${micros(ledger.lag_us)} behind, ${plural(ledger.written, "row")} since the start</span></span>` : html`<span class="faint">starting</span>`],
    ["Seal", evidence ? html`<span class="row">${state(evidence.ok)} <span class="soft">${number(evidence.sealed_seq)} records under ${plural(evidence.checkpoints, "checkpoint")}</span></span>` : html`<span class="faint">switched off</span>`],
  ]} />`;
}

function OpenIncidents() {
  const state = useLoaded((signal) => get("/incidents", { limit: 6 }, signal), "open", { every: 10_000 });
  if (state.data === null) return state.problem ? html`<${Trouble} problem=${state.problem} retry=${state.refresh} />` : html`<${Loading} lines=${3} />`;
  if (state.data.incidents.length === 0) return html`<${Empty} title="Nothing is wrong that Egret knows of." />`;
  return html`<ul class="stack">${state.data.incidents.map((one) => html`<li key=${one.id} data-row class="stack tight">
    <div class="row"><${Severity} of=${one.severity} />${one.state === "acknowledged" && html`<${Badge}>taken</${Badge}>`}<${Link} to=${`/incidents/${one.id}`}>${one.title}</${Link}><span class="spacer"></span><span class="faint small"><${Time} at=${one.last_at} relative /></span></div>
    <p class="soft">${one.sentence}</p></li>`)}</ul>`;
}

export function Now() {
  useTitle("Now");
  const beat = usePulse();
  const mayInspect = useMay("inspect");
  const [minutes, setMinutes] = useState("15");
  const { look } = beat;
  if (!look) return html`<div class="page"><h1>Now</h1>${beat.problem ? html`<${Trouble} problem=${beat.problem} retry=${beat.refresh} />` : html`<${Loading} lines=${8} />`}</div>`;
  const range = Number(minutes);
  return html`<div class="page">
    <div class="page-head"><h1>Now</h1><span class="row soft small"><span class="live-dot" aria-hidden="true"></span>${look.node}, <${Time} at=${look.at} relative /></span><span class="spacer"></span>
      <${Segments} label="Period of the plots" value=${minutes} onChange=${setMinutes} options=${[["5", "5 min"], ["15", "15 min"], ["60", "1 h"]]} /></div>
    <${Faults} look=${look} />
    <${Stats} look=${look} />
    <${Traffic} look=${look} minutes=${range} />
    <div class="cols">
      <${Card} className="w7 even" title="Budgets" flush><${Budgets} look=${look} minutes=${range} /></${Card}>
      <${Card} className="w5 even" title="Breakers" flush><${Breakers} look=${look} /></${Card}>
      <${Card} className="w7 even" title="Banks" aside=${html`<span class="faint small">last full minute</span>`} flush><${Providers} look=${look} /></${Card}>
      <${Card} className="w5 even" title="Records"><${Records} look=${look} /></${Card}>
      ${mayInspect && html`<${Card} className="w12" title="Incidents" aside=${html`<${Link} to="/incidents">All</${Link}>`}><${OpenIncidents} /></${Card}>`}
    </div>
  </div>`;
}
