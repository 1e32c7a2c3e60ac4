// One call: what happened when, with which token, and the proof that the record was not changed.
import { html, useEffect, useRef } from "../lib/dom.js";
import { get } from "../lib/api.js";
import { useLoaded, useTitle } from "../lib/hooks.js";
import { onEscape } from "../lib/keys.js";
import { Link, path } from "../lib/router.js";
import { Icon } from "../lib/icons.js";
import { Badge, Copy, Facts, FullTime, Loading, SaveButton, Trouble } from "../lib/ui.js";
import { bytes, callStem, micros, number, plural, sentence, stem, words } from "../lib/format.js";
import { CallLines, Effect, Outcome } from "./parts/call.js";

const list = (values) => (values?.length ? values.map(words).join(", ") : null);

/** What the call was, in words. */
function Summary({ call }) {
  const token = call.token_type && call.token_type !== "anonymous" ? ` with a ${words(call.token_type)} token` : "";
  const where = call.provider ? `${call.provider} ${call.operation ?? ""}` : "no bank that is known";
  const ended = {
    success: `It succeeded${call.status ? ` with ${call.status}` : ""}`,
    failure: `It failed${call.status ? ` with ${call.status}` : ""}`,
    unknown: "Whether the bank acted is not known",
    cancelled: "The caller went away before the answer was complete",
  }[call.outcome] ?? "It has not ended";
  return html`<p class="quote"><b>${call.caller ?? "Somebody unknown"}</b> called <b class="break">${where}</b>${token}. ${ended}${call.total_us !== null ? ` after ${micros(call.total_us)}` : ""}.</p>`;
}

/** The parts of the call's time, in order. */
function parts(timeline, call) {
  const at = Object.fromEntries(timeline.filter((one) => one.what !== "attempt").map((one) => [one.what, one.offset_us]));
  const found = [];
  const tries = timeline.filter((one) => one.what === "attempt");
  const firstTry = tries.length > 0 ? tries[0].offset_us : at.forwarded;
  if (firstTry > 0) found.push({ name: "Gateway", from: 0, to: firstTry, kind: "gateway" });
  for (const one of tries) {
    const isLast = one === tries[tries.length - 1] && at.forwarded !== undefined && one.offset_us >= at.forwarded;
    if (!isLast) found.push({ name: `Try ${one.number}: ${words(one.end)}`, from: one.offset_us, to: one.offset_us + (one.took_us ?? 0), kind: "bad" });
  }
  if (at.forwarded !== undefined) found.push({ name: "Bank", from: at.forwarded, to: at.first_byte ?? at.completed ?? at.forwarded, kind: at.first_byte === undefined ? "bad" : "bank" });
  if (at.first_byte !== undefined && at.completed !== undefined) found.push({ name: "Answer", from: at.first_byte, to: at.completed, kind: "body" });
  if (at.forwarded === undefined && at.completed !== undefined && tries.length === 0) found.push({ name: call.decision === "forwarded" ? "Gateway" : `Gateway: ${words(call.decision)}`, from: 0, to: at.completed, kind: "gateway" });
  return { found, whole: Math.max(1, at.completed ?? 0, ...found.map((one) => one.to)) };
}

function Waterfall({ timeline, call }) {
  const { found, whole } = parts(timeline, call);
  return html`<ol class="waterfall" aria-label="Where the time went">${found.map((one) => html`<li key=${one.name + one.from}>
    <span class="cut" title=${one.name}>${one.name}</span>
    <svg class="bars" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8" /><rect class=${one.kind} x=${Math.min(99.2, (one.from / whole) * 100)} width=${Math.max(0.8, ((one.to - one.from) / whole) * 100)} height="8" /></svg>
    <span class="number">${micros(one.to - one.from)}</span></li>`)}</ol>`;
}

const STEP = { received: "Received", attempt: "Try", forwarded: "Sent to the bank", first_byte: "The bank began to answer", completed: "Ended" };

function Moments({ timeline }) {
  return html`<ol class="timeline">${timeline.map((one, index) => {
    const name = one.what === "attempt" ? `Try ${one.number}: ${words(one.end)}` : (STEP[one.what] ?? sentence(one.what));
    const tone = one.what === "attempt" ? "bad" : one.what === "completed" ? "good" : "";
    return html`<li key=${index}><span class="at">+${micros(one.offset_us)}</span><span class="rail"><i class="dot ${tone}"></i></span>
      <span class="what">${name}${one.took_us !== undefined && html` <span class="faint">took ${micros(one.took_us)}</span>`}</span></li>`;
  })}</ol>`;
}

function Section({ title, children, aside }) {
  return html`<section class="part"><div class="row"><h3>${title}</h3><span class="spacer"></span>${aside}</div>${children}</section>`;
}

function Proof({ id, proof }) {
  const [tone, word] = { sealed: ["good", "sealed"], waiting: ["info", "waiting for a checkpoint"], elsewhere: ["", "in another node’s log"], none: ["warn", "not sealed"] }[proof.status] ?? ["", proof.status];
  return html`<${Section} title="Proof" aside=${proof.status === "sealed" && html`<${SaveButton} className="tiny" path=${`/calls/${id}/proof`}>Proof file</${SaveButton}>`}>
    <${Facts} rows=${[
      ["State", html`<${Badge} tone=${tone}>${word}</${Badge}>`],
      proof.origin && ["Log", html`<code>${proof.origin}</code>`],
      proof.records?.length > 0 && ["Records", html`<span>${proof.records.map(number).join(", ")} <span class="faint">of ${number(proof.size)}</span></span>`],
    ]} />
    ${proof.advice && html`<p class="soft">${proof.advice}</p>`}
    ${proof.status === "sealed" && html`<p class="soft small">Anybody can check it with the log’s public key: <code class="break">egret audit verify-proof ${callStem(id)}.tlog-proof --key …</code></p>`}
  </${Section}>`;
}

function TokenLink({ fingerprint }) {
  if (!fingerprint) return null;
  return html`<span class="row"><${Copy} text=${fingerprint} shown=${stem(fingerprint, 16)} /><${Link} to=${path("/tokens", { of: "token", value: fingerprint })}>Lineage</${Link}></span>`;
}

function Subjects({ subjects }) {
  if (!subjects?.length) return null;
  return html`<ul class="stack tight">${subjects.map((one, index) => html`<li key=${index} class="row"><span>${words(one.kind)} <span class="faint">(${words(one.role)})</span></span>
    ${one.subject ? html`<${Link} to=${path("/calls", { pseudonym: one.subject, from: "all" })}><code>${stem(one.subject, 12)}</code></${Link}>` : html`<span class="faint">erased</span>`}</li>`)}</ul>`;
}

function Recorded({ facts }) {
  const shown = Object.entries(facts ?? {}).filter(([name]) => name !== "attempt");
  if (shown.length === 0) return null;
  return html`<${Section} title="Recorded values"><${Facts} rows=${shown.map(([name, value]) => [words(name), typeof value === "object" ? JSON.stringify(value) : String(value)])} /></${Section}>`;
}

function Body({ detail, id }) {
  const { call, timeline, lineage, incidents, proof } = detail;
  return html`<${Summary} call=${call} />
    <div class="row"><${Outcome} call=${call} /><${Effect} of=${call.effect} />${call.attempts > 1 && html`<${Badge}>${call.attempts} tries</${Badge}>`}${call.pii?.length > 0 && html`<${Badge} tone="info">personal data</${Badge}>`}
      ${(incidents ?? []).map((one) => html`<${Link} key=${one} to=${`/incidents/${one}`}><${Badge} tone="bad">${one}</${Badge}></${Link}>`)}</div>
    <${Section} title="Timeline"><${Waterfall} timeline=${timeline} call=${call} /><details><summary>Moment by moment</summary><${Moments} timeline=${timeline} /></details></${Section}>
    <${Proof} id=${call.call_id} proof=${proof} />
    <${Section} title="Who and what"><${Facts} rows=${[
      ["Received", html`<${FullTime} at=${call.received} />`],
      ["Caller", html`<span>${call.caller ?? "not identified"} <span class="faint">by ${call.caller_via}${call.caller_key_id ? ` ${call.caller_key_id}` : ""}</span></span>`],
      ["From", call.caller_address],
      ["Operation", html`<span><${Link} to=${path("/calls", { operation: call.operation, provider: call.provider })}>${call.operation}</${Link}> <span class="faint">${[call.provider, call.service, call.environment].filter(Boolean).join(" · ")}</span></span>`],
      ["Request", html`<code class="break">${[call.method, call.path_template].filter(Boolean).join(" ")}</code>`],
      call.query && ["Query", html`<code class="break">${call.query}</code>`],
      ["Decision", html`<span>${words(call.decision)}${call.reason ? html` <span class="faint">${words(call.reason)}</span>` : ""}</span>`],
      ["Status", call.status === null ? null : html`<span>${call.status}${call.error_code ? html` <code>${call.error_code}</code>` : ""}</span>`],
      ["Personal data", list(call.pii)],
      call.subjects?.length > 0 && ["Concerns", html`<${Subjects} subjects=${call.subjects} />`],
    ]} /></${Section}>
    <${Section} title="Token"><${Facts} rows=${[
      ["Kind", words(call.token_type)],
      call.token_fingerprint && ["Fingerprint", html`<${TokenLink} fingerprint=${call.token_fingerprint} />`],
      call.token_scopes?.length > 0 && ["Scopes", html`<span>${call.token_scopes.join(", ")}${call.token_scopes_unlisted > 0 ? ` and ${call.token_scopes_unlisted} more` : ""}</span>`],
      call.token_expires && ["Ends", html`<${FullTime} at=${call.token_expires} />`],
      call.token_issuer && ["Issuer", call.token_issuer],
      call.token_fault && ["Fault", words(call.token_fault)],
      call.minted_fingerprint && ["Minted", html`<span class="row">${words(call.minted_kind)} <${TokenLink} fingerprint=${call.minted_fingerprint} /></span>`],
    ]} />
      ${lineage?.minted_by?.length > 0 && html`<div class="stack tight"><b class="small">Minted by</b><${CallLines} calls=${lineage.minted_by} /></div>`}
      ${lineage?.used_by?.length > 0 && html`<div class="stack tight"><b class="small">What it minted was used by ${plural(lineage.used_by_count, "call")}</b><${CallLines} calls=${lineage.used_by.slice(0, 8)} /></div>`}
    </${Section}>
    <${Recorded} facts=${call.facts} />
    <${Section} title="Transport"><${Facts} rows=${[
      ["Bodies", `${bytes(call.request_bytes)} sent, ${bytes(call.response_bytes)} received`],
      ["Bank’s address", call.upstream_address], ["TLS", call.tls_version],
      ["Trace", call.trace_id && html`<${Copy} text=${call.trace_id} />`],
      ["Gateway", html`<span>${call.node} ${call.gateway_version} <span class="faint">configuration ${call.config_hash}</span></span>`],
    ]} /></${Section}>`;
}

export function CallPanel({ id, onClose }) {
  useTitle(`Call ${callStem(id)}`);
  const panel = useRef(null);
  const state = useLoaded((signal) => get(`/calls/${encodeURIComponent(id)}`, {}, signal), id);
  useEffect(() => onEscape(() => {
    const row = document.querySelector('tr[aria-current="true"] a');
    onClose();
    row?.focus();
  }), [onClose]);
  useEffect(() => {
    // Whoever opened it with a pointer or with Enter reads on here; whoever walks the rows stays there.
    if (!document.activeElement?.closest("[data-row]")) panel.current?.focus({ preventScroll: true });
  }, []);
  const call = state.data?.call;
  return html`<aside class="beside card" ref=${panel} tabindex="-1" aria-label=${`Call ${callStem(id)}`}>
    <div class="card-head"><h2>Call</h2><${Copy} text=${call?.call_id ?? id} shown=${callStem(call?.call_id ?? id)} /><span class="spacer"></span>
      <button type="button" class="button quiet tiny" onClick=${onClose} aria-label="Close the call" title="Close (Esc)"><${Icon} name="close" /></button></div>
    <p class="unseen" role="status">${state.data ? "The call is shown." : ""}</p>
    <div class="card-body stack" aria-busy=${String(state.loading)}>
      ${state.problem && html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`}
      ${!state.data && !state.problem && html`<${Loading} lines=${12} label="Loading the call" />`}
      ${state.data && html`<${Body} detail=${state.data} id=${id} />`}
    </div>
  </aside>`;
}
