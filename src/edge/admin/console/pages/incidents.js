// Incidents: what detectors say, in one sentence each, and what people do about it.
import { html, useEffect, useRef, useState } from "../lib/dom.js";
import { get, send } from "../lib/api.js";
import { useAct, useLoaded, useTitle } from "../lib/hooks.js";
import { usePulse } from "../lib/pulse.js";
import { useMay } from "../lib/session.js";
import { onEscape } from "../lib/keys.js";
import { amend, go, Link, path } from "../lib/router.js";
import { Icon } from "../lib/icons.js";
import { Act, Badge, Card, Copy, Dialog, Empty, Facts, Loading, say, Segments, Table, Time, Trouble } from "../lib/ui.js";
import { callStem, number, plural, rate, sentence, span, stem, words } from "../lib/format.js";
import { IncidentState, Severity } from "./parts/incident.js";

const STATES = [["live", "Going on"], ["closed", "Closed"], ["all", "All"]];
const LENGTHS = [["1h", "1 hour"], ["4h", "4 hours"], ["24h", "1 day"], ["7d", "7 days"]];
/** Calls that are listed by their ids. */
const SHOWN_CALLS = 30;

/** Commands stand between backticks. */
function WithCommands({ text }) {
  return html`${text.split("`").map((part, index) => (index % 2 === 1 ? html`<${Copy} key=${index} text=${part} />` : part === "." ? "" : part))}`;
}

/** What was found beside what was to be expected. */
function Baseline({ of: found }) {
  const top = Math.max(found.count, found.expected, 1);
  const rows = [["found", found.count, "bad"], ["expected", found.expected, "gateway"]];
  return html`<div class="stack tight"><span>in ${span(found.window_s)}</span><ul class="waterfall short">${rows.map(([name, value, kind]) => html`<li key=${name}><span>${name}</span>
    <svg class="bars" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8" /><rect class=${kind} width=${Math.max(0.8, (value / top) * 100)} height="8" /></svg>
    <span class="number">${rate(value)}</span></li>`)}</ul></div>`;
}

function Names({ names, to, id }) {
  if (!names?.first?.length) return null;
  return html`<span class="row">${names.first.slice(0, 12).map((name) => {
    const shown = id ? html`<code>${stem(name, 12)}</code>` : name;
    return to ? html`<${Link} key=${name} to=${to(name)}>${shown}</${Link}>` : html`<span key=${name}>${shown}</span>`;
  })}${(names.more || names.first.length > 12) && html`<span class="faint">and more</span>`}</span>`;
}

function CloseDialog({ incident, done, onClose }) {
  const act = useAct(async ({ reason }) => {
    const next = await send("POST", `/incidents/${encodeURIComponent(incident.id)}/close`, { reason: reason.trim() });
    say(`${incident.id} is closed.`);
    done(next);
  });
  return html`<${Dialog} title=${`Close ${incident.id}`} onClose=${onClose}>
    <${Act} act=${act} label="Close the incident" onCancel=${onClose}><label class="field"><span>Reason</span><textarea name="reason" required maxlength="200" placeholder="What it was, and what was done"></textarea><span class="hint">Goes on record with your name.</span></label></${Act}></${Dialog}>`;
}

function SilenceDialog({ incident, onClose }) {
  const rules = Object.keys(incident.rules ?? {});
  const callers = incident.callers?.first ?? [];
  const act = useAct(async (form) => {
    await send("POST", "/silences", {
      rule: form.rule || null, category: null, caller: form.caller || null, environment: null, for: form.for, reason: form.reason.trim(),
    });
    say("Nobody will be told about this for now. Incidents are opened all the same.");
    onClose();
  });
  return html`<${Dialog} title="Silence what is known" onClose=${onClose}><${Act} act=${act} label="Silence" onCancel=${onClose}>
    <div class="grid-2">
      <label class="field"><span>Caller</span><select name="caller"><option value="">any</option>${callers.map((one, index) => html`<option key=${one} value=${one} selected=${index === 0}>${one}</option>`)}</select></label>
      <label class="field"><span>Rule</span><select name="rule"><option value="">any</option>${rules.map((one, index) => html`<option key=${one} value=${one} selected=${index === 0}>${one}</option>`)}</select></label></div>
    <label class="field"><span>For</span><select name="for">${LENGTHS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
    <label class="field"><span>Reason</span><textarea name="reason" required maxlength="200"></textarea></label></${Act}></${Dialog}>`;
}

function Actions({ incident, done }) {
  const [open, set] = useState(null);
  const ack = useAct(async () => {
    done(await send("POST", `/incidents/${encodeURIComponent(incident.id)}/ack`, {}));
    say(`${incident.id} is yours. Reminders stop.`);
  });
  const close = () => set(null);
  const caller = incident.callers?.first?.[0];
  return html`<div class="row">
    ${incident.state === "open" && html`<button type="button" class="button main" disabled=${ack.busy} onClick=${() => ack.run()}>Acknowledge</button>`}
    ${incident.state !== "closed" && html`<button type="button" class="button" onClick=${() => set("close")}>Close…</button>`}
    <button type="button" class="button" onClick=${() => set("silence")}>Silence…</button>
    ${caller && incident.state !== "closed" && html`<${Link} class="button danger" to=${path("/policy", { tab: "lockdown", target: `caller:${caller}`, reason: incident.id })}><${Icon} name="lock" />Lock ${caller}…</${Link}>`}
  </div><${Trouble} problem=${ack.problem} />
  ${open === "close" && html`<${CloseDialog} incident=${incident} onClose=${close} done=${(next) => { close(); done(next); }} />`}
  ${open === "silence" && html`<${SilenceDialog} incident=${incident} onClose=${close} />`}`;
}

const LIFE = { opened: "Opened", rule: "Another rule showed it", raised: "Became worse", told: "People were told", silenced: "Nobody was told: silenced", acknowledged: "Acknowledged", closed: "Closed" };

function Part({ title, children }) {
  return html`<section class="part"><h3>${title}</h3>${children}</section>`;
}

function Body({ incident, done }) {
  const mayAct = useMay("act");
  const mayCalls = useMay("calls");
  const calls = incident.calls ?? [];
  return html`<div class="row"><${Severity} of=${incident.severity} /><${IncidentState} of=${incident.state} /><${Badge}>${incident.environment}</${Badge}><span class="faint small">${incident.id}</span></div>
    <p class="quote">${incident.sentence}</p>
    ${mayAct && html`<${Actions} incident=${incident} done=${done} />`}
    <${Part} title="What to do"><ol class="stack tight steps">${(incident.steps ?? []).map((step, index) => html`<li key=${index}><${WithCommands} text=${step} /></li>`)}</ol></${Part}>
    <${Part} title="What was seen"><${Facts} rows=${[
      ["Since", html`<${Time} at=${incident.since} />`],
      ["Last sign", html`<${Time} at=${incident.last_at} relative />`],
      incident.closed_at && ["Ended", html`<span><${Time} at=${incident.closed_at} /> <span class="faint">${words(incident.ending)}</span></span>`],
      incident.baseline && ["Count", html`<${Baseline} of=${incident.baseline} />`],
      ["Rules", html`<span class="row">${Object.entries(incident.rules ?? {}).map(([rule, count]) => html`<${Badge} key=${rule}>${rule}${count > 1 ? ` × ${count}` : ""}</${Badge}>`)}</span>`],
      ["Callers", html`<${Names} names=${incident.callers} to=${mayCalls && ((caller) => path("/calls", { caller, from: "24h" }))} />`],
      incident.ips?.first?.length > 0 && ["Addresses", html`<${Names} names=${incident.ips} />`],
      incident.targets?.first?.length > 0 && ["Targets", html`<${Names} names=${incident.targets} />`],
      incident.tokens?.first?.length > 0 && ["Tokens", html`<${Names} names=${incident.tokens} id to=${mayCalls && ((value) => path("/tokens", { of: "token", value }))} />`],
      incident.subjects?.first?.length > 0 && ["Persons", html`<${Names} names=${incident.subjects} id to=${mayCalls && ((pseudonym) => path("/calls", { pseudonym, from: "all" }))} />`],
    ]} /></${Part}>
    <${Part} title=${`Calls behind it: ${number(incident.calls_named ?? calls.length)}`}>
      ${calls.length === 0 ? html`<p class="soft">None is named.</p>` : html`<ul class="ids">${calls.slice(0, SHOWN_CALLS).map((id) => html`<li key=${id}>${mayCalls ? html`<${Link} to=${`/calls/${id}`}><code>${callStem(id)}</code></${Link}>` : html`<code>${callStem(id)}</code>`}</li>`)}</ul>`}
      ${incident.calls_named > SHOWN_CALLS && html`<p class="faint small">The first ${plural(Math.min(SHOWN_CALLS, calls.length), "call")}. The caller’s calls of that time have the others.</p>`}</${Part}>
    <${Part} title="Its life"><ol class="timeline life">${(incident.life ?? []).map((step, index) => html`<li key=${index}><span class="at"><${Time} at=${step.at} /></span><span class="rail"><i class="dot ${{ opened: "bad", raised: "bad", acknowledged: "info", closed: "good" }[step.kind] ?? ""}"></i></span>
      <span class="what">${LIFE[step.kind] ?? sentence(step.kind)}${step.who && html` by <b>${step.who}</b>`}${step.note && html` <span class="faint">${step.note}</span>`}</span></li>`)}</ol></${Part}>`;
}

function Panel({ id, onClose, onChanged }) {
  useTitle(id);
  const panel = useRef(null);
  const state = useLoaded((signal) => get(`/incidents/${encodeURIComponent(id)}`, {}, signal), id, { every: 10_000 });
  const [changed, setChanged] = useState(null);
  useEffect(() => onEscape(() => {
    const row = document.querySelector('tr[aria-current="true"] a');
    onClose();
    row?.focus();
  }), [onClose]);
  useEffect(() => {
    if (!document.activeElement?.closest("[data-row]")) panel.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => setChanged(null), [state.data]);
  const incident = changed ?? state.data;
  const done = (next) => {
    if (next) setChanged(next);
    state.refresh();
    onChanged();
  };
  return html`<aside class="beside card" ref=${panel} tabindex="-1" aria-label=${`Incident ${id}`}>
    <div class="card-head"><h2>${incident?.title ?? "Incident"}</h2><span class="spacer"></span><button type="button" class="button quiet tiny" onClick=${onClose} aria-label="Close the incident’s page" title="Close (Esc)"><${Icon} name="close" /></button></div>
    <div class="card-body stack">${state.problem && html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`}
      ${!incident && !state.problem && html`<${Loading} lines=${10} />`}
      ${incident && html`<${Body} incident=${incident} done=${done} />`}</div></aside>`;
}

function Silences() {
  const mayAct = useMay("act");
  const state = useLoaded((signal) => get("/silences", {}, signal), "silences", { every: 15_000 });
  const end = useAct(async (number) => {
    await send("DELETE", `/silences/${number}`);
    say("The silence is over.");
    state.refresh();
  });
  const silences = state.data?.silences ?? [];
  if (silences.length === 0 && !state.problem) return null;
  return html`<${Card} title="Silences" flush>${state.problem ? html`<${Trouble} problem=${state.problem} />` : html`<${Table} caption="What nobody is told about for a time" className="dense" head=${["About", "Until", "Who", "Why", { name: "End it", unseen: true }]}>
    ${silences.map((one) => html`<tr key=${one.number}><th scope="row">${[one.caller, one.rule, one.category, one.environment].filter(Boolean).map(words).join(", ")}</th><td><${Time} at=${one.until} /></td><td>${one.who}</td><td class="soft">${one.reason}</td>
      <td class="right">${mayAct && html`<button type="button" class="button tiny" disabled=${end.busy} onClick=${() => end.run(one.number)}>End</button>`}</td></tr>`)}</${Table}>`}
    <${Trouble} problem=${end.problem} /></${Card}>`;
}

export function Incidents({ route }) {
  useTitle("Incidents");
  const { query } = route;
  const chosen = route.path.startsWith("/incidents/") ? decodeURIComponent(route.path.slice("/incidents/".length)) : null;
  const shown = query.get("state") ?? "live";
  const after = query.get("after");
  const beat = usePulse();
  const state = useLoaded((signal) => get("/incidents", { state: shown === "live" ? null : shown, after, limit: 50 }, signal), `${shown} ${after}`, { every: 10_000 });
  const changed = () => {
    state.refresh();
    beat.refresh();
  };
  const incidents = state.data?.incidents ?? [];
  const to = (one) => path(`/incidents/${one.id}`, query);
  const open = (event, one) => !event.target.closest("a, button") && go(to(one));
  return html`<div class="page">
    <div class="page-head"><h1>Incidents</h1><${Segments} label="Which incidents" value=${shown} onChange=${(value) => go(path("/incidents", { state: value === "live" ? null : value }))} options=${STATES} /></div>
    <div class="split ${chosen ? "open" : ""}"><div class="list stack">
      <${Card} flush>
        ${state.problem && html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`}
        ${!state.data && !state.problem && html`<div class="card-body"><${Loading} lines=${6} /></div>`}
        ${state.data && incidents.length === 0 && html`<${Empty} title=${shown === "live" ? "No incident is going on." : "There are none."}>${shown === "live" ? "Detectors watch what is recorded; what they find appears here." : ""}</${Empty}>`}
        ${incidents.length > 0 && html`<${Table} caption="Incidents, newest first" head=${["Severity", "Incident", "State", "Callers", "Last sign"]}>${incidents.map((one) => html`
          <tr key=${one.id} data-row class="link" aria-current=${one.id === chosen ? "true" : undefined} onClick=${(event) => open(event, one)}>
            <td><${Severity} of=${one.severity} /></td>
            <td><div class="stack tight"><${Link} class="subtle" to=${to(one)}><b>${one.title}</b></${Link}><span class="soft two-lines">${one.sentence}</span></div></td>
            <td><${IncidentState} of=${one.state} /></td><td>${one.callers?.first?.slice(0, 3).join(", ")}</td><td class="nowrap soft"><${Time} at=${one.last_at} relative /></td></tr>`)}</${Table}>`}
        ${(state.data?.next || after) && html`<div class="card-foot"><span class="spacer"></span>${after && html`<${Link} class="button tiny" to=${path("/incidents", amend(query, { after: null }))}>Newest</${Link}>`}
          ${state.data?.next && html`<${Link} class="button tiny" to=${path("/incidents", amend(query, { after: state.data.next }))}>Older</${Link}>`}</div>`}
      </${Card}>
      <${Silences} /></div>
      ${chosen && html`<${Panel} key=${chosen} id=${chosen} onChanged=${changed} onClose=${() => go(path("/incidents", query))} />`}
    </div></div>`;
}
