// A report or an investigation as the API gives it, drawn as a page.
import { html, useMemo } from "../../lib/dom.js";
import { Link, path } from "../../lib/router.js";
import { Plot } from "../../lib/plot.js";
import { Card, Empty, Table, Time } from "../../lib/ui.js";
import { compact, dayOf, local, instant, number, plural, sentence, stem, utc, words } from "../../lib/format.js";

/** Rows of a table that are drawn; the files have all of them. */
const SHOWN_ROWS = 200;

const CALL_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DIGITS = /^[0-9a-f]{32}$/;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** What leads further is a link. */
function Cell({ name, value }) {
  if (value === null || value === undefined || value === "") return html`<span class="faint">–</span>`;
  if (typeof value === "number") return number(value);
  if (MOMENT.test(value)) return html`<${Time} at=${value} />`;
  if (CALL_ID.test(value)) return html`<${Link} to=${`/calls/${value}`}><code>${stem(value, 13)}</code></${Link}>`;
  if (DIGITS.test(value)) {
    const of = /token|fingerprint|minted/.test(name) ? path("/tokens", { of: "token", value }) : path("/calls", { pseudonym: value, from: "all" });
    return html`<${Link} to=${of}><code>${stem(value, 12)}</code></${Link}>`;
  }
  if (name === "caller") return html`<${Link} to=${path("/calls", { caller: value, from: "30d" })}>${value}</${Link}>`;
  return html`<span class="break">${value}</span>`;
}

function Rows({ table }) {
  const rows = table.rows.slice(0, SHOWN_ROWS);
  if (rows.length === 0) return html`<${Empty} title="Nothing of this in the period." />`;
  const names = Object.keys(rows[0]);
  const isNumber = (name) => rows.some((row) => typeof row[name] === "number");
  const left = Math.max(table.all ?? 0, table.rows.length) - rows.length;
  return html`<${Table} className="dense" caption=${table.title} head=${names.map((name) => ({ name: sentence(name), number: isNumber(name) }))}>
    ${rows.map((row, index) => html`<tr key=${index}>${names.map((name) => html`<td key=${name} class=${isNumber(name) ? "number" : ""}><${Cell} name=${name} value=${row[name]} /></td>`)}</tr>`)}</${Table}>
    ${left > 0 && html`<p class="card-foot">${plural(left, "more row")}: the files have them, or ${table.more ? html`<code class="break">${table.more}</code>` : "a shorter period"}.</p>`}`;
}

function Days({ days, marked }) {
  const drawn = useMemo(() => ({
    at: days.map((day) => Date.parse(day.date) / 1_000),
    series: [
      { name: "Calls", colour: "--plot-1", values: days.map((day) => Math.max(0, day.calls - day.marked)) },
      { name: marked ? sentence(marked) : "Marked", colour: "--plot-2", values: days.map((day) => day.marked) },
    ],
  }), [days]);
  if (days.length < 2) return null;
  return html`<${Card} title="Day by day"><${Plot} label="Calls by day" at=${drawn.at} series=${drawn.series} format=${compact} stacked bars height=${160} shownAt=${dayOf} /></${Card}>`;
}

export function Report({ report }) {
  const tables = Object.entries(report.tables ?? {});
  const period = [report.from, report.to].map((at) => (instant(at) === null ? "?" : utc(instant(at)).replace(/( 00:00:00)? UTC$/, ""))).join(" to ");
  return html`<div class="stack report">
    <${Card} title=${report.title} aside=${html`<span class="faint small">${period}, UTC</span>`}>
      <p class="soft">${report.scope}</p>
      <dl class="stats inner">${(report.figures ?? []).map((one) => html`<div key=${one.key} class="stat ${one.warning ? "warn" : ""}"><dt>${one.label}</dt><dd>${number(one.value)}</dd></div>`)}</dl>
    </${Card}>
    <${Days} days=${report.days ?? []} marked=${report.marked} />
    ${tables.map(([key, table]) => html`<${Card} key=${key} title=${table.title} flush>
      ${table.note && html`<p class="soft note-line">${table.note}</p>`}<${Rows} table=${table} /></${Card}>`)}
    ${Object.keys(report.terms ?? {}).length > 0 && html`<${Card} title="Words"><dl class="facts">${Object.entries(report.terms).map(([word, meaning]) => html`<dt key=${word}>${words(word)}</dt><dd>${meaning}</dd>`)}</dl></${Card}>`}
    ${(report.verify ?? []).length > 0 && html`<${Card} title="How to check it"><ul>${report.verify.map((line, index) => html`<li key=${index} class="break">${line}</li>`)}</ul></${Card}>`}
    <p class="faint small">Made ${local(instant(report.made_at) ?? Date.now(), { now: 0 })} by ${report.made_by}.</p>
  </div>`;
}
