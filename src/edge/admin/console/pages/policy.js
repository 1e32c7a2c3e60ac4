// Callers and policy: who may call which bank how, and what is forbidden for a time.
import { html, useState } from "../lib/dom.js";
import { get, send } from "../lib/api.js";
import { useAct, useLoaded, useTitle } from "../lib/hooks.js";
import { usePulse } from "../lib/pulse.js";
import { useMay } from "../lib/session.js";
import { amend, go, Link, path } from "../lib/router.js";
import { Icon } from "../lib/icons.js";
import { Act, Badge, Card, Dialog, Empty, Facts, Loaded, say, Table, Time, Trouble } from "../lib/ui.js";
import { instant, stem, words } from "../lib/format.js";

const TABS = [["callers", "Callers"], ["policy", "Policy"], ["lockdown", "Lockdown"], ["config", "Configuration"]];
const DAY_MS = 86_400_000;
/** An end that is nearer than this deserves a word. */
const SOON_MS = 14 * DAY_MS;

function KeyState({ credential }) {
  const end = instant(credential.expires_at);
  const isUsable = credential.state === "usable";
  const isSoon = isUsable && end !== null && end - Date.now() < SOON_MS;
  return html`<div class="row"><code>${credential.id}</code><${Badge} tone=${isUsable ? (isSoon ? "warn" : "good") : ""}>${isSoon ? "ends soon" : words(credential.state)}</${Badge}>
    <span class="faint small">${end !== null ? html`until <${Time} at=${credential.expires_at} />` : isUsable ? "without an end" : ""}</span></div>`;
}

function Callers() {
  const mayCalls = useMay("calls");
  const state = useLoaded((signal) => get("/callers", {}, signal), "callers");
  return html`<${Card} title="Callers" flush><${Loaded} state=${state} lines=${6} empty=${(data) => data.callers.length === 0 && html`<${Empty} title="No caller has a key or a certificate.">Give each service a key of its own: <code>egret caller add NAME --expires 90d</code></${Empty}>`}>${(data) => html`
    <${Table} caption="Callers, with how they say who they are" head=${["Caller", "Keys", "Certificates", { name: "Go to", unseen: true }]}>${data.callers.map((one) => html`<tr key=${one.name}><th scope="row">${one.name}${one.local && html` <${Badge} title="Processes of the gateway’s machine need no key">this machine</${Badge}>`}</th>
      <td>${one.keys.length === 0 ? html`<span class="faint">none</span>` : html`<div class="stack tight">${one.keys.map((key) => html`<${KeyState} key=${key.id} credential=${key} />`)}</div>`}</td>
      <td class="break">${one.certificates.length === 0 ? html`<span class="faint">none</span>` : one.certificates.join(", ")}</td>
      <td class="right nowrap">${mayCalls && html`<span class="row end"><${Link} to=${path("/calls", { caller: one.name })}>calls</${Link}><${Link} to=${path("/tokens", { of: "caller", value: one.name })}>lineage</${Link}></span>`}</td></tr>`)}</${Table}>`}</${Loaded}></${Card}>`;
}

const list = (names) => (names?.length ? names.join(", ") : html`<span class="faint">none</span>`);
const text = (value) => (value === null || value === undefined ? html`<span class="faint">not set</span>` : typeof value === "object" ? JSON.stringify(value) : words(String(value)));

function Rules() {
  const policy = useLoaded((signal) => get("/policy", {}, signal), "policy");
  const providers = useLoaded((signal) => get("/providers", {}, signal), "providers");
  const byId = new Map((providers.data?.providers ?? []).map((one) => [one.id, one]));
  return html`<${Card} title="Banks" flush><${Loaded} state=${policy} lines=${4} empty=${(data) => data.providers.length === 0 && html`<${Empty} title="No bank is configured." />`}>${(data) => html`
    <${Table} caption="What is allowed with each bank" head=${["Bank", "Services", { name: "Operations", number: true }, "Operations that are not in the catalog", "May use DAuth", "May use gateway login"]}>${data.providers.map((one) => {
      const known = byId.get(one.provider);
      return html`<tr key=${one.provider}><th scope="row">${known?.name ?? one.provider}</th><td>${(known?.services ?? []).map((service) => html`<div key=${service.id}>${service.id} <span class="faint">${service.environments.join(", ")}</span></div>`)}</td>
        <td class="number">${known?.operations}</td><td><${Badge} tone=${one.unknown_operations === "deny" ? "good" : "warn"}>${words(one.unknown_operations)}</${Badge}></td><td>${list(one.dauth_callers)}</td><td>${list(one.gateway_login_callers)}</td></tr>`;
    })}</${Table}>`}</${Loaded}></${Card}>
  ${policy.data && html`<${Card} title="Records"><${Facts} rows=${[
    ...Object.entries(policy.data.loss ?? {}).map(([effect, choice]) => [`If a call (${words(effect)}) cannot be recorded`, text(choice)]),
    ["Kept", policy.data.retention === null ? "for ever: no retention profile is set" : text(policy.data.retention)],
  ]} /></${Card}>`}`;
}

const TARGETS = [["caller", "A caller", "its name"], ["token", "A token", "its fingerprint, 32 digits"], ["operation", "An operation", "PROVIDER/ID"], ["provider", "A bank", "its id"], ["all", "Everything", ""]];
const LENGTHS = [["1h", "1 hour"], ["4h", "4 hours"], ["24h", "1 day"], ["7d", "7 days"], ["", "until somebody lifts it"]];

function LockDialog({ start, reason, onClose, done }) {
  const [startKind, startValue] = start ? [start.split(":")[0], start.split(":").slice(1).join(":")] : ["caller", ""];
  const [kind, set] = useState(startKind);
  const act = useAct(async (form) => {
    const target = kind === "all" ? "all" : `${kind}:${form.value.trim()}`;
    await send("POST", "/lockdown", { target, reason: form.reason.trim(), for: form.for || null, here: Boolean(form.here) });
    say(`Calls of ${target} are refused from now on.`);
    done();
  });
  const hint = TARGETS.find(([name]) => name === kind)?.[2];
  return html`<${Dialog} title="Lock down" onClose=${onClose}><${Act} act=${act} label="Lock down" busy="Locking…" danger onCancel=${onClose}>
    <div class="grid-2"><label class="field"><span>What</span><select value=${kind} onChange=${(event) => set(event.target.value)}>${TARGETS.map(([name, shown]) => html`<option key=${name} value=${name}>${shown}</option>`)}</select></label>
      ${kind !== "all" && html`<label class="field"><span>Which</span><input type="text" name="value" defaultValue=${kind === startKind ? startValue : ""} placeholder=${hint} required autocomplete="off" spellcheck="false" /></label>`}</div>
    ${kind === "all" && html`<div class="notice warn"><p>Every call of every caller to every bank is refused until this is lifted.</p></div>`}
    <label class="field"><span>For</span><select name="for">${LENGTHS.map(([value, shown]) => html`<option key=${value} value=${value}>${shown}</option>`)}</select></label>
    <label class="field"><span>Reason</span><textarea name="reason" required maxlength="200" defaultValue=${reason ?? ""}></textarea><span class="hint">Goes on record with your name. Holds within a second; calls under way end as they would.</span></label>
    <label class="row"><input type="checkbox" name="here" value="1" /> only on this node</label></${Act}></${Dialog}>`;
}

function LiftDialog({ lock, onClose, done }) {
  const act = useAct(async ({ reason }) => {
    await send("DELETE", `/lockdown/${encodeURIComponent(lock.id)}`, { reason: reason.trim() });
    say(`${lock.target} is open again.`);
    done();
  });
  return html`<${Dialog} title=${`Lift the lock on ${lock.target}`} onClose=${onClose}><${Act} act=${act} label="Lift" onCancel=${onClose}>
    <p>Placed by <b>${lock.by}</b>: ${lock.reason}</p><label class="field"><span>Reason</span><textarea name="reason" required maxlength="200"></textarea></label></${Act}></${Dialog}>`;
}

function Lockdown({ query }) {
  const mayAct = useMay("act");
  const beat = usePulse();
  const state = useLoaded((signal) => get("/lockdown", {}, signal), "lockdown", { every: 5_000 });
  const [open, set] = useState(mayAct && query.get("target") ? { kind: "lock" } : null);
  const close = () => {
    set(null);
    if (query.get("target")) go(path("/policy", { tab: "lockdown" }), { replace: true });
  };
  const done = () => {
    close();
    state.refresh();
    beat.refresh();
  };
  return html`<${Card} title="Lockdown" aside=${mayAct && html`<button type="button" class="button danger" onClick=${() => set({ kind: "lock" })}><${Icon} name="lock" />Lock down…</button>`} flush>
    <${Loaded} state=${state} lines=${3}>${(data) => html`
      ${data.sentinel && html`<div class="card-body"><div class="notice bad"><b>Everything is locked by the file LOCKDOWN in the data directory.</b><p>Remove the file on the machine to lift it.</p></div></div>`}
      ${!data.fleet_asked && html`<div class="card-body"><div class="notice warn"><b>The fleet’s locks could not be asked for.</b><p>Those seen last stay in force.</p></div></div>`}
      ${data.locks.length === 0 ? html`<${Empty} title=${data.sentinel ? "No other lock is in force." : "Nothing is locked down."} />` : html`<${Table} caption="Locks in force" head=${["What", "Reason", "By", "Since", "Until", { name: "Lift", unseen: true }]}>
        ${data.locks.map((lock) => html`<tr key=${lock.id}><th scope="row" class="break"><${Icon} name="lock" /> ${lock.target.startsWith("token:") ? `token:${stem(lock.target.slice(6), 12)}` : lock.target} <${Badge}>${words(lock.reach)}</${Badge}></th><td class="break">${lock.reason}</td><td>${lock.by}</td><td><${Time} at=${lock.placed_at} relative /></td>
          <td>${lock.until ? html`<${Time} at=${lock.until} relative />` : "lifted"}</td><td class="right">${mayAct && html`<button type="button" class="button tiny" onClick=${() => set({ kind: "lift", lock })} aria-label=${`Lift the lock on ${lock.target}`}>Lift…</button>`}</td></tr>`)}</${Table}>`}`}</${Loaded}>
    ${open?.kind === "lock" && html`<${LockDialog} start=${query.get("target")} reason=${query.get("reason")} onClose=${close} done=${done} />`}
    ${open?.kind === "lift" && html`<${LiftDialog} lock=${open.lock} onClose=${close} done=${done} />`}</${Card}>`;
}

function Values() {
  const [word, set] = useState("");
  const state = useLoaded((signal) => get("/config", {}, signal), "config");
  return html`<${Card} title="Configuration in force" aside=${html`<input class="filter-field" type="search" data-search aria-label="Find a key" placeholder="Find a key" value=${word} onInput=${(event) => set(event.target.value)} />`} flush><${Loaded} state=${state} lines=${8}>${(data) => html`
    <${Table} className="dense" caption="Every key that is set; secrets are masked" head=${["Key", "Value", "From"]}>${data.values.filter((one) => one.key.includes(word.trim())).map((one) => html`<tr key=${one.key}><th scope="row"><code>${one.key}</code></th><td class="break"><code>${typeof one.value === "string" ? one.value : JSON.stringify(one.value)}</code></td>
      <td class="faint nowrap">${one.from === "variable" ? "environment" : `${data.file}${one.line ? `:${one.line}` : ""}`}</td></tr>`)}</${Table}>
    <p class="card-foot">Hash ${data.hash}: every record names the configuration under which it was made.</p>`}</${Loaded}></${Card}>`;
}

function Log() {
  const mayAct = useMay("act");
  const state = useLoaded((signal) => get("/log", {}, signal), "log");
  const act = useAct(async ({ filter }) => {
    await send("PUT", "/log", { filter: filter.trim() });
    say("The log follows from now on, until the gateway starts anew.");
    state.refresh();
  });
  const submit = (event) => {
    event.preventDefault();
    act.run(Object.fromEntries(new FormData(event.target)));
  };
  return html`<${Card} title="Log" aside=${html`<span class="faint small">level per module, such as info,egret::edge=debug</span>`}><${Loaded} state=${state} lines=${1}>${(data) => (mayAct
    ? html`<form class="row" onSubmit=${submit}><input key=${data.filter} class="grow mono" type="text" name="filter" aria-label="Log filter" defaultValue=${data.filter} spellcheck="false" autocomplete="off" required /><button class="button" disabled=${act.busy}>Apply</button></form><${Trouble} problem=${act.problem} />`
    : html`<code>${data.filter}</code>`)}</${Loaded}></${Card}>`;
}

function Config() {
  return html`<${Log} /><${Values} />`;
}

export function Policy({ route }) {
  useTitle("Callers & policy");
  const { query } = route;
  const tab = query.get("tab") ?? "callers";
  const Shown = { callers: Callers, policy: Rules, lockdown: Lockdown, config: Config }[tab] ?? Callers;
  return html`<div class="page"><div class="page-head"><h1>Callers & policy</h1></div>
    <nav class="tabs" aria-label="Parts of this page">${TABS.map(([name, shown]) => html`<${Link} key=${name} to=${path("/policy", amend(new URLSearchParams(), { tab: name === "callers" ? null : name }))} aria-current=${name === tab ? "page" : undefined}>${shown}</${Link}>`)}</nav>
    <${Shown} key=${tab} query=${query} /></div>`;
}
