// Calls: search as you type, conditions as chips, all of it in the address.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../lib/dom.js";
import { download, get, send, url } from "../lib/api.js";
import { useLoaded, useSettled, useTitle } from "../lib/hooks.js";
import { useMay } from "../lib/session.js";
import { amend, go, Link, path } from "../lib/router.js";
import { Icon } from "../lib/icons.js";
import { Badge, Card, Empty, Loading, Menu, Table, Time, Trouble } from "../lib/ui.js";
import { number, plural } from "../lib/format.js";
import { AddFilter, Chips, conditions, DEFAULT_PERIOD, FILTERS, having, Period, without } from "./parts/filters.js";
import { Effect, Outcome, Status, took } from "./parts/call.js";
import { CallPanel } from "./call.js";

const PAGE = 50;
/** Rows of the live list: what is more goes away at its end. */
const LIVE_ROWS = 200;
const NO_WORDS = { understood: [], unknown: [] };

/** What the API is asked, from what stands in the address and what the words mean. */
function parametersOf(query, understood) {
  const found = {};
  for (const [name, value] of conditions(query)) {
    if (FILTERS[name].many) (found[name] ??= []).push(value);
    else found[name] = value;
  }
  for (const { name, value } of understood) {
    if (FILTERS[name]?.many) found[name] = [...(found[name] ?? []), value];
    else found[name] = value;
  }
  const from = query.get("from") ?? DEFAULT_PERIOD;
  if (from !== "all") found.from = from;
  if (query.get("to")) found.to = query.get("to");
  if (query.get("order") === "oldest") found.order = "oldest";
  // What people did in Egret itself is shown to those who ask for it.
  if (!query.get("own") && found.provider !== "egret") found.banks_only = true;
  return found;
}

/** What the typed words mean. A person's identifier becomes a pseudonym before it is searched. */
function useWords(text) {
  const settled = useSettled(text.trim(), 200);
  const state = useLoaded(async () => {
    if (!settled) return { text: settled, ...NO_WORDS };
    const { understood } = await send("POST", "/calls/terms", { q: settled });
    const known = new Set(understood.filter(isPlain).map((one) => one.word));
    const hidden = understood.filter((one) => one.word === null).length;
    const rest = settled.split(/\s+/).filter((word) => !known.has(word));
    return { text: settled, understood, unknown: hidden > 0 ? [] : rest };
  }, settled);
  const isCurrent = state.data?.text === text.trim();
  return { ...state, isCurrent, words: state.data ?? { text: "", ...NO_WORDS } };
}

/**
 * Whether a word may stand in the address. The beginning of what may yet become a customer's GUID may
 * not; ids of calls begin with the time, which is 01 until the year 2039.
 */
const isPlain = (one) => one.word !== null && (one.name !== "call_id" || one.word.startsWith("01"));

function useTail(on, parameters) {
  const [state, set] = useState({ rows: [], problem: null });
  const key = on ? JSON.stringify(parameters) : null;
  useEffect(() => {
    set({ rows: [], problem: null });
    if (!on) return undefined;
    const { from: _, to: __, order: ___, ...kept } = parameters;
    const source = new EventSource(url("/tail", kept));
    source.addEventListener("call", (event) => {
      const call = JSON.parse(event.data);
      set((before) => ({ rows: [call, ...before.rows].slice(0, LIVE_ROWS), problem: null }));
    });
    const failed = (event) => {
      const detail = event.data ? JSON.parse(event.data).detail : null;
      set((before) => ({ ...before, problem: { title: "The live list was interrupted. It comes back by itself.", detail } }));
    };
    source.addEventListener("problem", failed);
    source.addEventListener("error", failed);
    source.addEventListener("open", () => set((before) => ({ ...before, problem: null })));
    return () => source.close();
  }, [key]);
  return state;
}

function Rows({ calls, query, chosen, fresh }) {
  const to = (call) => path(`/calls/${call.call_id}`, query);
  const open = (event, call) => {
    if (event.target.closest("a, button") || String(getSelection())) return;
    go(to(call));
  };
  return html`<${Table} className="dense calls" caption="Calls, newest first unless asked otherwise" head=${["Time", "Caller", "Operation", "Token", "Outcome", { name: "Status", number: true }, { name: "Took", number: true }]}>
    ${calls.map((call) => html`<tr key=${call.call_id} data-row class="link ${fresh ? "row-fresh" : ""}" aria-current=${call.call_id === chosen ? "true" : undefined} onClick=${(event) => open(event, call)}>
      <td class="nowrap"><${Link} class="subtle" to=${to(call)}><${Time} at=${call.received} millis /></${Link}></td>
      <td class="nowrap">${call.caller ?? html`<span class="faint">nobody</span>`}</td>
      <td class="operation"><span class="faint">${call.provider ?? "no bank"}</span> ${call.operation ?? "unknown"} <${Effect} of=${call.effect} /></td>
      <td class="nowrap soft">${(call.token_type ?? "").replaceAll("_", " ")}</td>
      <td class="nowrap"><${Outcome} call=${call} />${call.attempts > 1 && html` <${Badge} title="Tries to reach the bank">${call.attempts} tries</${Badge}>`}</td>
      <td class="number"><${Status} call=${call} /></td>
      <td class="number nowrap soft">${took(call)}</td></tr>`)}</${Table}>`;
}

function Total({ parameters, enabled }) {
  const key = JSON.stringify(parameters);
  const state = useLoaded((signal) => get("/calls", { ...parameters, limit: 1, total: true }, signal), key, { enabled });
  const total = state.loading ? null : state.data?.total;
  if (!total) return html`<span class="faint">${state.loading && enabled ? "counting…" : ""}</span>`;
  return html`<span>${total.more ? `more than ${number(total.calls)} calls` : plural(total.calls, "call")}</span>`;
}

function Export({ parameters }) {
  const { order: _, ...kept } = parameters;
  return html`<${Menu} label="Export" icon="download" end>${(close) => {
    const save = (format) => {
      download("/calls/export", { ...kept, format });
      close();
    };
    return html`<div class="stack"><p>Saves every call that meets the conditions, not only this page, oldest first. The export is put on record.</p>
      <div class="row"><button type="button" class="button main" onClick=${() => save("csv")}>CSV for spreadsheets</button><button type="button" class="button" onClick=${() => save("jsonl")}>JSON Lines</button></div></div>`;
  }}</${Menu}>`;
}

export function Calls({ route }) {
  useTitle("Calls");
  const mayExport = useMay("export");
  const { query } = route;
  const chosen = route.path.startsWith("/calls/") ? decodeURIComponent(route.path.slice("/calls/".length)) : null;
  const here = route.path;
  const [text, setText] = useState(query.get("q") ?? "");
  const [live, setLive] = useState(false);
  const wrote = useRef(query.get("q") ?? "");
  const terms = useWords(text);

  const change = useCallback((changes, { replace = false, at = here } = {}) => {
    go(path(at, amend(query, { after: null, before: null, ...changes })), { replace });
  }, [route.key]);

  // Somebody went back, or followed a link: the words are those of the address.
  useEffect(() => {
    const q = query.get("q") ?? "";
    if (q !== wrote.current) {
      wrote.current = q;
      setText(q);
    }
  }, [route.key]);

  // What was understood goes into the address. What may be personal goes there as its pseudonym, and
  // what was not understood does not go there at all.
  useEffect(() => {
    if (!terms.isCurrent || terms.loading || terms.problem) return;
    const { understood } = terms.words;
    const hidden = understood.filter((one) => one.word === null);
    const plain = understood.filter(isPlain).map((one) => one.word).join(" ");
    if (plain === (query.get("q") ?? "") && hidden.length === 0) return;
    let next = amend(query, { q: plain, after: null, before: null });
    for (const one of hidden) next = having(next, one.name, one.value);
    wrote.current = plain;
    if (hidden.length > 0) setText(plain);
    go(path(here, next), { replace: true });
  }, [terms.data, terms.isCurrent]);

  const visible = terms.words.understood.filter(isPlain);
  const parameters = useMemo(() => parametersOf(query, visible), [route.key, JSON.stringify(visible)]);
  const cursor = { after: query.get("after"), before: query.get("before") };
  const isReady = terms.isCurrent || terms.data !== null;
  const key = JSON.stringify([parameters, cursor]);
  const page = useLoaded((signal) => get("/calls", { ...parameters, ...cursor, limit: PAGE }, signal), key, { enabled: isReady && !live });
  const tail = useTail(live, parameters);
  const calls = live ? tail.rows : (page.data?.calls ?? []);

  const typed = (event) => setText(event.target.value);
  const entered = (event) => {
    if (event.key === "Enter" && terms.isCurrent) {
      // Words that are understood become chips, so that more can be typed.
      let next = amend(query, { q: null });
      for (const one of visible) next = having(next, one.name, one.value);
      wrote.current = "";
      setText("");
      go(path(here, next));
    } else if (event.key === "Escape" && text) {
      event.preventDefault();
      event.stopPropagation();
      setText("");
    }
  };
  const clear = () => {
    const kept = new URLSearchParams([...query].filter(([name]) => ["from", "to", "own", "order"].includes(name)));
    setText("");
    wrote.current = "";
    go(path(here, kept));
  };
  const listQuery = new URLSearchParams(query);
  const unknown = terms.isCurrent ? terms.words.unknown : [];

  return html`<div class="page wide">
    <div class="page-head"><h1>Calls</h1>
      <div class="search" role="search"><${Icon} name="search" />
        <input type="search" data-search value=${text} onInput=${typed} onKeyDown=${entered} autocomplete="off" spellcheck="false" aria-label="Search calls" aria-describedby="search-hint" placeholder="Caller, operation, status, call id, fingerprint, customer GUID…" />
        <kbd aria-hidden="true">/</kbd></div>
      <${Period} query=${query} onChange=${change} />
      <${AddFilter} onAdd=${(name, value) => go(path(here, having(query, name, value)))} />
      <span class="spacer"></span>
      <button type="button" class="button" aria-pressed=${String(live)} onClick=${() => setLive(!live)}>${live && html`<span class="live-dot" aria-hidden="true"></span>`}Live</button>
      ${mayExport && html`<${Export} parameters=${parameters} />`}
    </div>
    <p id="search-hint" class="unseen">Words are understood one by one. A customer’s GUID is replaced by its pseudonym before it is searched.</p>
    <${Chips} query=${query} onRemove=${(name, value) => go(path(here, without(query, name, value)))} onClear=${clear} />
    ${unknown.length > 0 && html`<p class="soft" role="status">Nothing on record is called ${unknown.map((word) => `“${word}”`).join(", ")}; the search goes without.</p>`}
    <${Trouble} problem=${terms.problem} retry=${terms.refresh} />
    <div class="split ${chosen ? "open" : ""}">
      <div class="list card">
        ${live && html`<div class="card-head" role="status"><span class="row"><span class="live-dot" aria-hidden="true"></span>Calls as they end; the last ${LIVE_ROWS} are kept here.</span></div>`}
        ${live && tail.problem && html`<div class="card-body"><${Trouble} problem=${tail.problem} /></div>`}
        ${!live && page.problem && html`<div class="card-body"><${Trouble} problem=${page.problem} retry=${page.refresh} /></div>`}
        ${!live && page.data === null && !page.problem && html`<div class="card-body"><${Loading} lines=${10} /></div>`}
        ${(live || page.data) && calls.length === 0 && html`<${Empty} title=${live ? "Waiting for the next call." : "No calls meet these conditions."}>${!live && html`Take a condition out, or look at a longer period.`}</${Empty}>`}
        ${calls.length > 0 && html`<div aria-busy=${String(page.loading && !live)} class=${page.stale && !live ? "dim" : ""}><${Rows} calls=${calls} query=${listQuery} chosen=${chosen} fresh=${live} /></div>`}
        ${!live && page.data && html`<div class="card-foot"><span role="status" aria-live="polite"><${Total} parameters=${parameters} enabled=${isReady && !page.loading} /></span>
          <label class="row"><input type="checkbox" checked=${Boolean(query.get("own"))} onChange=${(event) => change({ own: event.target.checked ? "1" : null })} /> with what people did in Egret</label>
          <span class="spacer"></span>
          <button type="button" class="button tiny" disabled=${!page.data.prev} onClick=${() => go(path(here, amend(query, { before: page.data.prev, after: null })))}>Newer</button>
          <button type="button" class="button tiny" disabled=${!page.data.next} onClick=${() => go(path(here, amend(query, { after: page.data.next, before: null })))}>Older</button></div>`}
      </div>
      ${chosen && html`<${CallPanel} key=${chosen} id=${chosen} onClose=${() => go(path("/calls", query))} />`}
    </div>
  </div>`;
}
