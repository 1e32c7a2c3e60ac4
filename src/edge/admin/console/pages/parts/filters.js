// Conditions on calls: what there is, how one is added, and how those that hold are shown.
import { html, useState } from "../../lib/dom.js";
import { get } from "../../lib/api.js";
import { useLoaded } from "../../lib/hooks.js";
import { useMay } from "../../lib/session.js";
import { Menu } from "../../lib/ui.js";
import { instant, local, stem, words } from "../../lib/format.js";

// The words of the record; a test of the gateway holds these lists against its own.
const EFFECTS = ["read", "write", "money", "mint", "access-change"];
const OUTCOMES = ["success", "failure", "unknown", "cancelled"];
const DECISIONS = ["forwarded", "denied", "limited", "refused", "unavailable"];
const ENVIRONMENTS = ["sandbox", "production"];
const TOKEN_TYPES = [
  "anonymous", "malformed", "unknown", "organization", "bank", "customer", "client_credentials", "direct_login",
  "direct_login_credentials", "oauth1", "oauth2_bearer", "gateway_login", "dauth", "consent_jwt", "consent_id",
  "berlin_group_consent", "mtls_cert", "basic", "basic_client", "shared_secret_query", "browser_session",
  "wyre_signature", "wyre_session_token", "wyre_session_mint",
];
const PII_CLASSES = [
  "person_name", "postal_address", "date_of_birth", "phone", "email", "government_id", "citizenship", "occupation",
  "bank_account", "chain_address", "financial", "document", "ip_address", "username", "security_question", "website",
  "business", "free_text", "other",
];

/**
 * Every condition, by its name in the API: `label`; `values` where there are few; `flag` where it is
 * there or not; `many` where it may be given more than once; `id` where values are long.
 */
export const FILTERS = {
  caller: { label: "Caller", from: "callers" },
  provider: { label: "Bank", from: "providers" },
  operation: { label: "Operation" },
  outcome: { label: "Outcome", values: OUTCOMES },
  status: { label: "Status", hint: "404, or a class such as 4xx" },
  effect: { label: "Effect", values: EFFECTS },
  token_type: { label: "Kind of token", values: TOKEN_TYPES },
  decision: { label: "Decision", values: DECISIONS },
  error_code: { label: "Error code" },
  environment: { label: "Environment", values: ENVIRONMENTS },
  service: { label: "Service" },
  fingerprint: { label: "Token used", id: true, hint: "its fingerprint, 32 digits" },
  minted: { label: "Token minted", id: true, hint: "its fingerprint, 32 digits" },
  pseudonym: { label: "Person or account", id: true, many: true, hint: "a pseudonym; type a raw customer GUID into the search instead" },
  pii: { label: "Personal data", many: true, values: PII_CLASSES },
  call_id: { label: "Call", id: true },
  failed: { label: "Denied or failed", flag: true },
  auth_failed: { label: "Failed authentication", flag: true },
  mints: { label: "Minted a token", flag: true },
  has_pii: { label: "Any personal data", flag: true },
};

/** Conditions that stand in a query, as pairs of name and value. */
export function conditions(query) {
  return [...query].filter(([name]) => name in FILTERS);
}

/** The query without a condition. */
export function without(query, name, value) {
  return new URLSearchParams([...query].filter(([one, other]) => !(one === name && other === value) && one !== "after" && one !== "before"));
}

/** The query with a condition, in the place of another of the same name unless there may be many. */
export function having(query, name, value) {
  const next = new URLSearchParams(query);
  next.delete("after");
  next.delete("before");
  if (FILTERS[name]?.many) {
    if (!next.getAll(name).includes(value)) next.append(name, value);
  } else {
    next.set(name, value);
  }
  return next;
}

const PERIODS = [["15m", "Last 15 minutes"], ["1h", "Last hour"], ["24h", "Last 24 hours"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["all", "All time"]];
export const DEFAULT_PERIOD = "24h";

/** The value of a local date and time as the API takes it. */
const utcOf = (text) => (text ? new Date(text).toISOString() : "");
const localOf = (text) => {
  const at = instant(text);
  if (at === null) return "";
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
};

/** From when to when. */
export function Period({ query, onChange }) {
  const from = query.get("from") ?? DEFAULT_PERIOD;
  const to = query.get("to");
  const isRange = Boolean(to) || !PERIODS.some(([name]) => name === from);
  const [open, set] = useState(false);
  const choose = (event) => {
    const value = event.target.value;
    if (value === "range") set(true);
    else {
      set(false);
      onChange({ from: value === DEFAULT_PERIOD ? null : value, to: null });
    }
  };
  const range = (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    onChange({ from: utcOf(data.get("from")) || "all", to: utcOf(data.get("to")) });
    set(false);
  };
  return html`<div class="row">
    <select class="period" aria-label="Period" value=${open || isRange ? "range" : from} onChange=${choose}>
      ${PERIODS.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}<option value="range">Between two times…</option></select>
    ${(open || isRange) && html`<form class="row" onSubmit=${range}>
      <input class="moment" type="datetime-local" name="from" aria-label="From, in local time" value=${localOf(query.get("from"))} />
      <span class="faint">to</span>
      <input class="moment" type="datetime-local" name="to" aria-label="To, in local time" value=${localOf(to)} />
      <button class="button">Apply</button></form>`}
  </div>`;
}

function Adding({ onAdd, close }) {
  const [name, set] = useState("caller");
  const mayInspect = useMay("inspect");
  const filter = FILTERS[name];
  const known = useLoaded(async (signal) => {
    if (filter.from === "callers" && mayInspect) return (await get("/callers", {}, signal)).callers.map((one) => one.name);
    if (filter.from === "providers") return (await get("/providers", {}, signal)).providers.map((one) => one.id);
    return [];
  }, name);
  const add = (event) => {
    event.preventDefault();
    const value = filter.flag ? "true" : new FormData(event.target).get("value").trim();
    if (!value) return;
    onAdd(name, value);
    close();
  };
  return html`<form class="stack" onSubmit=${add}>
    <label class="field"><span>Condition</span><select value=${name} onChange=${(event) => set(event.target.value)}>
      ${Object.entries(FILTERS).map(([one, { label }]) => html`<option key=${one} value=${one}>${label}</option>`)}</select></label>
    ${filter.values && html`<label class="field"><span>Value</span><select name="value">${filter.values.map((one) => html`<option key=${one} value=${one}>${words(one)}</option>`)}</select></label>`}
    ${!filter.values && !filter.flag && html`<label class="field"><span>Value</span><input key=${name} type="text" name="value" list="known-values" autocomplete="off" spellcheck="false" required />
      <datalist id="known-values">${(known.data ?? []).map((one) => html`<option key=${one} value=${one} />`)}</datalist>
      ${filter.hint && html`<span class="hint">${filter.hint}</span>`}</label>`}
    <div class="row"><span class="spacer"></span><button class="button main">Add</button></div>
  </form>`;
}

export function AddFilter({ onAdd }) {
  return html`<${Menu} label="Filter" icon="plus">${(close) => html`<${Adding} onAdd=${onAdd} close=${close} />`}</${Menu}>`;
}

/** The conditions that hold, each with a way to take it out. */
export function Chips({ query, onRemove, onClear }) {
  const held = conditions(query);
  if (held.length === 0) return null;
  return html`<ul class="chips" aria-label="Conditions">${held.map(([name, value]) => {
    const filter = FILTERS[name];
    const shown = filter.id ? stem(value, 12) : name === "from" ? local(instant(value)) : words(value);
    return html`<li key=${name + value} class="chip"><span title=${value}>${filter.label}${!filter.flag && html` <b>${shown}</b>`}</span>
      <button type="button" aria-label=${`Remove ${filter.label} ${filter.flag ? "" : value}`} onClick=${() => onRemove(name, value)}>×</button></li>`;
  })}${held.length > 1 && html`<li><button type="button" class="button quiet tiny" onClick=${onClear}>Clear all</button></li>`}</ul>`;
}

