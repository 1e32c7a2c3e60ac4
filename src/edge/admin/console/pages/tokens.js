// Tokens: who mints how many of which kind, and everything that is known of one token, caller or
// customer.
import { html, useEffect, useMemo, useState } from "../lib/dom.js";
import { get, LONG_MS, Problem, send } from "../lib/api.js";
import { useAct, useLoaded, useTitle } from "../lib/hooks.js";
import { useMay } from "../lib/session.js";
import { amend, go, path } from "../lib/router.js";
import { colours, Plot } from "../lib/plot.js";
import { Link } from "../lib/router.js";
import { Badge, Card, Empty, Loading, SaveButton, Segments, Table, Trouble } from "../lib/ui.js";
import { compact, instant, local, number, span, stem, words } from "../lib/format.js";
import { Report } from "./parts/report.js";

const PERIODS = [["1h", "1 h"], ["24h", "24 h"], ["7d", "7 days"], ["30d", "30 days"]];
/** Series of a plot beyond which the rest are drawn as one. */
const SERIES = 6;

const sum = (values) => values.reduce((all, value) => all + (value ?? 0), 0);

/** Adds up series by a name of theirs, the largest first, the small ones together. */
function grouped(series, by) {
  const groups = new Map();
  for (const one of series) {
    const name = one[by] ?? "unknown";
    const so = groups.get(name);
    groups.set(name, so ? so.map((value, index) => value + (one.mints[index] ?? 0)) : one.mints.map((value) => value ?? 0));
  }
  const sorted = [...groups].sort((a, b) => sum(b[1]) - sum(a[1]));
  const shown = sorted.slice(0, SERIES);
  const rest = sorted.slice(SERIES);
  if (rest.length > 0) shown.push(["others", rest[0][1].map((_, index) => sum(rest.map(([, values]) => values[index])))]);
  return shown.map(([name, values], index) => ({ name: words(name), colour: colours(index), values }));
}

const atTime = (at) => local(at, {});

function Mints({ query, change }) {
  const from = query.get("from") ?? "24h";
  const by = query.get("by") ?? "token_type";
  const state = useLoaded((signal) => get("/tokens", { from, caller: query.get("caller") }, signal), `${from} ${query.get("caller")}`, { every: 30_000 });
  const drawn = useMemo(() => state.data && {
    at: state.data.at.map((at) => instant(at) / 1_000), series: grouped(state.data.series, by),
  }, [state.data, by]);
  const rows = useMemo(() => [...(state.data?.series ?? [])].sort((a, b) => sum(b.mints) - sum(a.mints)), [state.data]);
  const all = sum(rows.map((row) => sum(row.mints)));
  return html`<${Card} title="Tokens minted" aside=${html`<${Segments} label="Colours" value=${by} onChange=${(value) => change({ by: value === "token_type" ? null : value })} options=${[["token_type", "By type"], ["caller", "By caller"]]} />
      <${Segments} label="Period" value=${from} onChange=${(value) => change({ from: value === "24h" ? null : value })} options=${PERIODS} />`}>
    ${state.problem && html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`}
    ${!state.data && !state.problem && html`<${Loading} lines=${8} />`}
    ${drawn && (all === 0 ? html`<${Empty} title="No token was minted in this period." />` : html`
      <${Plot} label="Tokens minted" at=${drawn.at} series=${drawn.series} format=${compact} stacked bars height=${220} shownAt=${atTime} />
      <p class="faint small">${number(all)} in all, one bar is ${span(state.data.step_s)}.${state.data.cut ? " Only the largest series are shown." : ""}</p>`)}
  </${Card}>
  ${rows.length > 0 && all > 0 && html`<${Card} title="By caller and type" flush><${Table} className="dense" caption="Tokens minted, by caller, bank and type" head=${["Caller", "Bank", "Type", { name: "Minted", number: true }, { name: "Part", number: true }, { name: "Go to", unseen: true }]}>
    ${rows.map((row) => html`<tr key=${row.caller + row.provider + row.token_type} data-row class="link"><th scope="row"><${Link} class="subtle" to=${path("/tokens", amend(query, { of: "caller", value: row.caller }))}>${row.caller ?? "nobody"}</${Link}></th><td>${row.provider}</td><td>${words(row.token_type)}</td>
      <td class="number">${number(sum(row.mints))}</td><td class="number soft">${Math.round((sum(row.mints) / all) * 100)} %</td>
      <td class="right"><${Link} to=${path("/calls", { caller: row.caller, mints: "true", from })}>calls</${Link}></td></tr>`)}</${Table}></${Card}>`}`;
}

const KINDS = [["token", "Token"], ["caller", "Caller"], ["customer", "Customer"]];
const HINTS = {
  token: "its fingerprint: 32 hexadecimal digits, from a call",
  caller: "its name",
  customer: "its GUID as the bank knows it, or its pseudonym; a GUID is hashed first and is in no address or log",
};

function Ask({ query }) {
  const [kind, set] = useState(query.get("of") ?? "token");
  useEffect(() => set(query.get("of") ?? "token"), [query.get("of")]);
  const act = useAct(async (value) => {
    let found = value.trim();
    // Banks write GUIDs as pseudonyms look, so both are asked for, in a body.
    if (kind === "customer") {
      const { understood } = await send("POST", "/calls/terms", { q: found });
      const person = understood.find((one) => one.name === "pseudonym");
      if (!person) {
        throw new Problem({ title: "This is no customer’s GUID.", detail: "Give the GUID as the bank writes it, or the pseudonym of a call." });
      }
      found = person.value;
    }
    go(path("/tokens", amend(query, { of: kind, value: found })));
  });
  const submit = (event) => {
    event.preventDefault();
    act.run(new FormData(event.target).get("value"));
  };
  const isHere = query.get("of") === kind;
  return html`<form class="stack" onSubmit=${submit}>
    <div class="row"><${Segments} label="Lineage of" value=${kind} onChange=${set} options=${KINDS} />
      <input key=${kind + query.get("value")} class="grow" type="text" name="value" aria-label=${`${kind}: ${HINTS[kind]}`} placeholder=${HINTS[kind]} defaultValue=${isHere ? (query.get("value") ?? "") : ""} autocomplete="off" spellcheck="false" required />
      <button class="button main" disabled=${act.busy}>Investigate</button></div>
    <${Trouble} problem=${act.problem} /></form>`;
}

function Lineage({ query }) {
  const mayExport = useMay("export");
  const kind = query.get("of");
  const value = query.get("value");
  const of = `/lineage/${encodeURIComponent(kind)}/${encodeURIComponent(value)}`;
  const state = useLoaded((signal) => get(of, { format: "json" }, signal, LONG_MS), of);
  return html`<div class="stack">
    <div class="row"><h2>Lineage of ${kind} <code>${stem(value, 20)}</code></h2>${state.loading && html`<${Badge}>reading the ledger…</${Badge}>`}<span class="spacer"></span>
      ${mayExport && html`<${SaveButton} className="tiny" path=${of} parameters=${{ format: "html" }}>HTML</${SaveButton}><${SaveButton} className="tiny" path=${of} parameters=${{ format: "csv" }}>CSV</${SaveButton}>`}
      <${Link} class="button tiny" to=${path("/tokens", amend(query, { of: null, value: null }))}>Close</${Link}></div>
    ${state.problem && html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`}
    ${!state.data && !state.problem && html`<${Loading} lines=${10} />`}
    ${state.data && !state.stale && html`<${Report} report=${state.data} />`}
  </div>`;
}

export function Tokens({ route }) {
  useTitle("Tokens");
  const { query } = route;
  const change = (changes) => go(path("/tokens", amend(query, changes)), { replace: true });
  const isAsked = query.get("of") && query.get("value");
  return html`<div class="page">
    <div class="page-head"><h1>Tokens</h1></div>
    <${Card} title="Lineage" aside=${html`<span class="faint small">where it came from, what was done with it, whom that touched</span>`}><${Ask} query=${query} /></${Card}>
    ${isAsked ? html`<${Lineage} query=${query} />` : html`<${Mints} query=${query} change=${change} />`}
  </div>`;
}
