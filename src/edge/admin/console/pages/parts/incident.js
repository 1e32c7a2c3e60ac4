// What several pages say of incidents.
import { html } from "../../lib/dom.js";
import { Badge } from "../../lib/ui.js";

const TONES = { critical: "bad", high: "bad", medium: "warn", low: "info", info: "" };

export function Severity({ of: severity }) {
  return html`<${Badge} tone=${TONES[severity] ?? ""}>${severity}</${Badge}>`;
}

export function IncidentState({ of: state }) {
  const [tone, word] = { open: ["bad", "open"], acknowledged: ["warn", "taken"], closed: ["good", "closed"] }[state] ?? ["", state];
  return html`<${Badge} tone=${tone}>${word}</${Badge}>`;
}
