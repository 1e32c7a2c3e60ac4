// The door.
import { html, useEffect, useRef, useState } from "../lib/dom.js";
import { get, send } from "../lib/api.js";
import { useAct, useTitle } from "../lib/hooks.js";
import { Mark } from "../lib/icons.js";
import { Trouble } from "../lib/ui.js";

export function SignIn({ onSignedIn }) {
  useTitle("Sign in");
  const [ways, set] = useState(null);
  const field = useRef(null);
  const act = useAct(async (key) => onSignedIn(await send("POST", "/session", { key })));
  useEffect(() => {
    get("/session/ways").then(set, () => set({ key: true, oidc: null }));
    field.current?.focus();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    const key = field.current.value.trim();
    if (!key || act.busy) return;
    // The key is not kept: what is held from here on is the cookie, which scripts cannot read.
    field.current.value = "";
    await act.run(key);
    field.current?.focus();
  };
  return html`<main class="gate"><div class="card"><form class="card-body stack" onSubmit=${submit}>
    <div class="brand"><${Mark} />Egret</div>
    <div><h1>Sign in</h1><p class="soft">Everything you look at here is put on record.</p></div>
    ${ways?.oidc && html`<a class="button main" href=${ways.oidc.start}>Continue with ${ways.oidc.name}</a><p class="faint small">or with an admin key</p>`}
    <label class="field"><span>Admin key</span>
      <input ref=${field} type="password" name="key" autocomplete="off" spellcheck="false" placeholder="ega_…" required />
      <span class="hint">Made with <code>egret admin key add NAME --role viewer</code></span></label>
    <${Trouble} problem=${act.problem} />
    <button class="button ${ways?.oidc ? "" : "main"}" disabled=${act.busy}>${act.busy ? "Signing in…" : "Sign in"}</button>
  </form></div></main>`;
}
