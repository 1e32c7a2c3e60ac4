// Parts that every page uses.
import { html, useCallback, useEffect, useId, useRef, useState } from "./dom.js";
import { Icon } from "./icons.js";
import { save } from "./api.js";
import { ago, instant, local, NONE, utc } from "./format.js";
import { useAct, useNow } from "./hooks.js";

/** A section with a heading. */
export function Card({ title, aside, children, flush = false, foot, className = "", id }) {
  const own = useId();
  const heading = id ?? own;
  return html`<section class="card ${className}" aria-labelledby=${title ? heading : undefined}>
    ${title && html`<div class="card-head"><h2 id=${heading}>${title}</h2><span class="spacer"></span>${aside}</div>`}
    <div class="card-body ${flush ? "flush" : ""}">${children}</div>
    ${foot && html`<div class="card-foot">${foot}</div>`}
  </section>`;
}

export function Badge({ tone = "", children, title }) {
  return html`<span class="badge ${tone}" title=${title}>${children}</span>`;
}

/** A moment, in the zone of the reader; the title has it in UTC. */
export function Time({ at, millis = false, relative = false }) {
  const value = instant(at);
  const now = useNow(relative ? 10_000 : 60_000);
  if (value === null) return html`<span class="faint">${NONE}</span>`;
  const iso = new Date(value).toISOString();
  const text = relative ? ago(value, now) : local(value, { millis, now });
  return html`<time datetime=${iso} title=${`${local(value, { millis: true, now: 0 })} here, ${utc(value)}`} class="nowrap">${text}</time>`;
}

/** A moment with its UTC beside it, where there is room. */
export function FullTime({ at }) {
  const value = instant(at);
  if (value === null) return html`<span class="faint">${NONE}</span>`;
  return html`<span><time datetime=${new Date(value).toISOString()}>${local(value, { millis: true, now: 0 })}</time> <span class="faint small">${utc(value)}</span></span>`;
}

/** An id that people copy. */
export function Copy({ text, shown }) {
  const [done, set] = useState(false);
  const copy = async (event) => {
    event.preventDefault();
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(text);
      set(true);
      setTimeout(() => set(false), 1_500);
    } catch {
      say("This browser does not let pages copy.", "bad");
    }
  };
  return html`<span class="row nowrap"><code class="break">${shown ?? text}</code><button type="button" class="button quiet tiny" onClick=${copy} aria-label=${done ? "Copied" : `Copy ${text}`} title="Copy"><${Icon} name=${done ? "check" : "copy"} /></button></span>`;
}

export function Facts({ rows }) {
  return html`<dl class="facts">${rows.filter(Boolean).map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value ?? html`<span class="faint">${NONE}</span>`}</dd>`)}</dl>`;
}

/** Nothing to show, and why, and what to do. */
export function Empty({ title, children }) {
  return html`<div class="empty"><b>${title}</b>${children && html`<div>${children}</div>`}</div>`;
}

/** What went wrong, in the words of the API. */
export function Trouble({ problem, retry }) {
  if (!problem) return null;
  return html`<div class="notice bad" role="alert">
    <b>${problem.title ?? "Something went wrong."}</b>
    ${problem.detail && html`<p>${problem.detail}</p>`}
    ${retry && html`<div><button type="button" class="button tiny" onClick=${retry}>Try again</button></div>`}
  </div>`;
}

/** Grey lines where text will be. */
export function Loading({ lines = 4, label = "Loading" }) {
  return html`<div class="stack" role="status"><span class="unseen">${label}</span>${Array.from({ length: lines }, (_, index) => html`<div key=${index} class="skeleton" aria-hidden="true"></div>`)}</div>`;
}

/** Data, or what stands in its place. What was shown stays while a repetition fails. */
export function Loaded({ state, lines, empty, children }) {
  if (state.data === null) {
    if (state.problem) return html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`;
    return html`<${Loading} lines=${lines} />`;
  }
  return html`${state.problem && html`<${Trouble} problem=${state.problem} retry=${state.refresh} />`}
    ${empty && empty(state.data) ? empty(state.data) : children(state.data)}`;
}

/** A table with a caption for readers of screens. */
export function Table({ caption, head, children, className = "", shownCaption = false }) {
  return html`<div class="table-wrap"><table class=${className}>
    <caption class=${shownCaption ? "" : "unseen"}>${caption}</caption>
    <thead><tr>${head.map((cell) => (typeof cell === "string"
      ? html`<th key=${cell} scope="col">${cell}</th>`
      : html`<th key=${cell.name} scope="col" class=${cell.number ? "number" : ""}>${cell.unseen ? html`<span class="unseen">${cell.name}</span>` : cell.name}</th>`))}</tr></thead>
    <tbody>${children}</tbody>
  </table></div>`;
}

/** A choice of a few. */
export function Segments({ label, value, options, onChange }) {
  return html`<div class="segments" role="group" aria-label=${label}>${options.map(([name, text]) => html`
    <button key=${name} type="button" aria-pressed=${String(name === value)} onClick=${() => onChange(name)}>${text}</button>`)}</div>`;
}

/** How much is left, drawn; the text beside it says it. */
export function Meter({ part, tone = "" }) {
  const width = Math.max(0, Math.min(1, part || 0)) * 100;
  return html`<div class="meter ${tone}" aria-hidden="true"><svg viewBox="0 0 100 1" preserveAspectRatio="none"><rect x="0" y="0" width=${width} height="1" /></svg></div>`;
}

/** A short history, drawn from values that may have gaps. */
export function Spark({ values, max, label }) {
  const known = (values ?? []).filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return html`<svg class="spark" viewBox="0 0 100 20" aria-hidden="true"></svg>`;
  const top = max ?? Math.max(...known, 1);
  const step = 100 / (values.length - 1);
  let line = "";
  let first = null;
  let last = 0;
  values.forEach((value, index) => {
    if (value === null || value === undefined) return;
    const x = (index * step).toFixed(2);
    line += `${line ? "L" : "M"}${x} ${(19 - 18 * Math.min(1, value / top)).toFixed(2)}`;
    first ??= x;
    last = x;
  });
  return html`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    <path class="area" d=${`${line}L${last} 20L${first} 20Z`} /><path d=${line} /></svg>`;
}

/** A window over the page, for what cannot be taken back at once. Escape closes it. */
export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.isConnected && before.focus?.();
  }, []);
  const away = (event) => event.target === box.current && onClose();
  return html`<dialog ref=${box} aria-labelledby=${heading} onClose=${onClose} onClick=${away}>
    <div class="dialog-body"><div class="row"><h2 id=${heading}>${title}</h2><span class="spacer"></span>
      <button type="button" class="button quiet tiny" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></div>
    ${children}</div></dialog>`;
}

/** A form that does one thing, with what went wrong below it. */
export function Act({ act, label, busy = "Working…", danger = false, onCancel, children }) {
  const submit = (event) => {
    event.preventDefault();
    if (!act.busy) act.run(Object.fromEntries(new FormData(event.target)));
  };
  return html`<form class="stack" onSubmit=${submit}>${children}
    <${Trouble} problem=${act.problem} />
    <div class="row foot"><span class="spacer"></span>
      ${onCancel && html`<button type="button" class="button" onClick=${onCancel}>Cancel</button>`}
      <button class="button ${danger ? "danger" : "main"}" disabled=${act.busy}>${act.busy ? busy : label}</button></div>
  </form>`;
}

/** Saves a file that is made for it; says when that does not work. */
export function SaveButton({ path, parameters, className = "", label, children }) {
  const act = useAct(async () => {
    try {
      await save(path, parameters);
    } catch (problem) {
      say([problem.title, problem.detail].filter(Boolean).join(" "), "bad");
    }
  });
  return html`<button type="button" class="button ${className}" disabled=${act.busy} aria-busy=${String(act.busy)} aria-label=${label} onClick=${() => act.run()}><${Icon} name="download" />${children}</button>`;
}

/** Something that opens below its button, and closes by Escape, a click elsewhere or leaving it. */
export function Menu({ label, icon, end = false, children }) {
  const [open, set] = useState(false);
  const box = useRef(null);
  const button = useRef(null);
  const close = useCallback(() => set(false), []);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => !box.current?.contains(event.target) && set(false);
    document.addEventListener("pointerdown", outside);
    box.current.querySelector(".pop :is(input, select, button, a)")?.focus();
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const pressed = (event) => {
    if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      set(false);
      button.current?.focus();
    }
  };
  const left = (event) => open && event.relatedTarget && !box.current.contains(event.relatedTarget) && set(false);
  return html`<div class="menu" ref=${box} onKeyDown=${pressed} onFocusOut=${left}>
    <button ref=${button} type="button" class="button" aria-haspopup="dialog" aria-expanded=${String(open)} onClick=${() => set(!open)}>${icon && html`<${Icon} name=${icon} />`}${label}</button>
    ${open && html`<div class="pop ${end ? "end" : ""}" role="dialog" aria-label=${label}>${children(close)}</div>`}
  </div>`;
}

const hearers = new Set();
/** Tells something in passing: at the corner of the page, and to readers of screens. */
export function say(text, tone = "") {
  for (const hearer of hearers) hearer({ text, tone });
}

export function Toasts() {
  const [shown, set] = useState([]);
  useEffect(() => {
    let next = 0;
    const hear = (one) => {
      next += 1;
      const id = next;
      set((before) => [...before.slice(-3), { ...one, id }]);
      setTimeout(() => set((before) => before.filter((toast) => toast.id !== id)), 6_000);
    };
    hearers.add(hear);
    return () => hearers.delete(hear);
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">${shown.map((toast) => html`<div key=${toast.id} class="toast ${toast.tone}">${toast.text}</div>`)}</div>`;
}
