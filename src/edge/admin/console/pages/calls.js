// Calls: search as you type, conditions as chips, all of it in the address.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../lib/dom.js";
import { download, get, url } from "../lib/api.js";
import { useLoaded, useTitle } from "../lib/hooks.js";
import { useMay } from "../lib/session.js";
import { amend, go, Link, path } from "../lib/router.js";
import { Badge, Card, Empty, Loading, Menu, Table, Time, Trouble } from "../lib/ui.js";
import { number, plural } from "../lib/format.js";
import { AddFilter, Chips, conditions, DEFAULT_PERIOD, FILTERS, having, Period, without } from "./parts/filters.js";
import { Effect, Outcome, Status, took } from "./parts/call.js";
import { SearchField, useWords } from "./parts/search.js";
import { CallPanel } from "./call.js";

const PAGE = 50;
/** Rows of the live list: what is more goes away at its end. */
const LIVE_ROWS = 200;

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
  const since = total.counted_to && html` since <${Time} at=${total.counted_to} />; earlier ones are not counted`;
  return html`<span>${total.more ? `more than ${number(total.calls)} calls` : plural(total.calls, "call")}${since}</span>`;
}

/** A search that no index leads takes its time; it says how far it has come, and goes on if asked to. */
function SoFar({ at, none, isForth, onGo }) {
  return html`<div class="card-body row" role="status"><span>${none ? "Nothing found yet" : "These are not all"}: calls were searched ${isForth ? "up" : "back"} to <${Time} at=${at} />.</span>
    <button type="button" class="button" onClick=${onGo}>Search on</button></div>`;
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
  const [enters, setEnters] = useState(0);
  const asked = useWords(text);
  const { found } = asked;
  const entered = useRef(false);

  const change = useCallback((changes) => go(path(here, amend(query, { after: null, before: null, ...changes }))), [route.key]);
  /** `q` is what of the text may stand in the address. */
  const write = (rest, q, next, how) => {
    wrote.current = q;
    setText(rest);
    go(path(here, amend(next, { q, after: null, before: null })), how);
  };

  // Somebody went back, or followed a link: the words are those of the address.
  useEffect(() => {
    const q = query.get("q") ?? "";
    if (q !== wrote.current) {
      wrote.current = q;
      setText(q);
    }
  }, [route.key]);

  // What was understood goes into the address. Whole identifiers of persons become conditions as their
  // pseudonyms; what was not understood does not get there at all. After Enter, all words become
  // conditions.
  useEffect(() => {
    if (!asked.isCurrent) return;
    const everything = entered.current;
    entered.current = false;
    const become = [...found.person, ...(everything ? [...found.plain, ...found.strange.map((one) => one.meaning).filter(Boolean)] : [])];
    const next = become.reduce((held, one) => having(held, one.name, one.value), query);
    const plain = found.plain.map((one) => one.word).join(" ");
    if (everything) write("", "", next);
    else if (become.length > 0) write([plain, ...found.strange.map((one) => one.word)].join(" ").trim(), plain, next, { replace: true });
    else if (plain !== (query.get("q") ?? "")) {
      wrote.current = plain;
      go(path(here, amend(query, { q: plain, after: null, before: null })), { replace: true });
    }
  }, [found, asked.isCurrent, enters]);

  const visible = found.plain;
  const parameters = useMemo(() => parametersOf(query, visible), [route.key, JSON.stringify(visible)]);
  const cursor = { after: query.get("after"), before: query.get("before") };
  const { isReady } = asked;
  const key = JSON.stringify([parameters, cursor]);
  const page = useLoaded((signal) => get("/calls", { ...parameters, ...cursor, limit: PAGE }, signal), key, { enabled: isReady && !live });
  const newer = () => go(path(here, amend(query, { before: page.data.prev, after: null })));
  const older = () => go(path(here, amend(query, { after: page.data.next, before: null })));
  const tail = useTail(live, parameters);
  const calls = live ? tail.rows : (page.data?.calls ?? []);

  const add = (name, value, rest = text) => write(rest, "", having(query, name, value));
  const enter = () => {
    if (!text.trim()) return;
    entered.current = true;
    setEnters(enters + 1);
  };
  const clear = () => {
    const kept = new URLSearchParams([...query].filter(([name]) => ["from", "to", "own", "order"].includes(name)));
    write("", "", kept);
  };
  const listQuery = new URLSearchParams(query);
  const strange = asked.isCurrent ? found.strange : [];

  return html`<div class="page wide">
    <div class="page-head"><h1>Calls</h1>
      <${SearchField} text=${text} onText=${setText} onAdd=${add} onEnter=${enter} />
      <${Period} query=${query} onChange=${change} />
      <${AddFilter} onAdd=${(name, value) => go(path(here, having(query, name, value)))} />
      <span class="spacer"></span>
      <button type="button" class="button" aria-pressed=${String(live)} onClick=${() => setLive(!live)}>${live && html`<span class="live-dot" aria-hidden="true"></span>`}Live</button>
      ${mayExport && html`<${Export} parameters=${parameters} />`}
    </div>
    <${Chips} query=${query} onRemove=${(name, value) => go(path(here, without(query, name, value)))} onClear=${clear} />
    ${strange.length > 0 && html`<p class="soft" role="status">Nothing on record is called ${strange.map((one) => `“${one.word}”`).join(", ")}; the search goes without. <kbd>Enter</kbd> looks for it as somebody’s identifier.</p>`}
    <${Trouble} problem=${asked.problem} retry=${asked.refresh} />
    <div class="split ${chosen ? "open" : ""}">
      <div class="list card">
        ${live && html`<div class="card-head" role="status"><span class="row"><span class="live-dot" aria-hidden="true"></span>Calls as they end; the last ${LIVE_ROWS} are kept here.</span></div>`}
        ${live && tail.problem && html`<div class="card-body"><${Trouble} problem=${tail.problem} /></div>`}
        ${!live && page.problem && html`<div class="card-body"><${Trouble} problem=${page.problem} retry=${page.refresh} /></div>`}
        ${!live && page.data === null && !page.problem && html`<div class="card-body"><${Loading} lines=${10} /></div>`}
        ${(live || (page.data && !page.data.searched_to)) && calls.length === 0 && html`<${Empty} title=${live ? "Waiting for the next call." : "No calls meet these conditions."}>${!live && html`Take a condition out, or look at a longer period.`}</${Empty}>`}
        ${calls.length > 0 && html`<div aria-busy=${String(page.loading && !live)} class=${page.stale && !live ? "dim" : ""}><${Rows} calls=${calls} query=${listQuery} chosen=${chosen} fresh=${live} /></div>`}
        ${!live && page.data?.searched_to && html`<${SoFar} at=${page.data.searched_to} none=${calls.length === 0} isForth=${Boolean(cursor.before) !== (parameters.order === "oldest")} onGo=${cursor.before ? newer : older} />`}
        ${!live && page.data && html`<div class="card-foot"><span role="status" aria-live="polite"><${Total} parameters=${parameters} enabled=${isReady && !page.loading} /></span>
          <label class="row"><input type="checkbox" checked=${Boolean(query.get("own"))} onChange=${(event) => change({ own: event.target.checked ? "1" : null })} /> with what people did in Egret</label>
          <span class="spacer"></span>
          <button type="button" class="button tiny" disabled=${!page.data.prev} onClick=${newer}>Newer</button>
          <button type="button" class="button tiny" disabled=${!page.data.next} onClick=${older}>Older</button></div>`}
      </div>
      ${chosen && html`<${CallPanel} key=${chosen} id=${chosen} onClose=${() => go(path("/calls", query))} />`}
    </div>
  </div>`;
}
