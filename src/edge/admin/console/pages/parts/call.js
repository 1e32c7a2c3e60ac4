// What several pages say of calls.
import { html } from "../../lib/dom.js";
import { Badge, Time } from "../../lib/ui.js";
import { Link } from "../../lib/router.js";
import { micros, NONE, words } from "../../lib/format.js";

export const OUTCOME = { success: "good", failure: "bad", unknown: "warn", cancelled: "warn" };

export function Outcome({ call }) {
  const word = call.decision && call.decision !== "forwarded" ? call.decision : call.outcome;
  return html`<${Badge} tone=${OUTCOME[call.outcome] ?? ""} title=${call.reason ? words(call.reason) : undefined}>${word ?? "under way"}</${Badge}>`;
}

export function Status({ call }) {
  if (call.status === null || call.status === undefined) return html`<span class="faint">${NONE}</span>`;
  return html`<span class=${call.status >= 400 ? "bad-text" : ""}>${call.status}</span>`;
}

const EFFECT = { money: "warn", mint: "info", "access-change": "warn" };

export function Effect({ of: effect }) {
  return EFFECT[effect] ? html`<${Badge} tone=${EFFECT[effect]}>${words(effect)}</${Badge}>` : null;
}

/** A few calls, each as one line. */
export function CallLines({ calls }) {
  return html`<ul class="stack tight">${calls.map((call) => html`<li key=${call.call_id} class="row">
    <${Link} to=${`/calls/${call.call_id}`}><${Time} at=${call.received} /></${Link}>
    <span>${call.caller ?? "nobody"}</span><span class="soft break">${call.operation ?? "unknown"}</span><${Outcome} call=${call} /></li>`)}</ul>`;
}

export const took = (call) => micros(call.total_us);
