// The console: the frame around the pages, who is signed in, and which page is shown.
import { html, render, useCallback, useEffect, useState } from "./lib/dom.js";
import { get, onSignedOut, Problem, send } from "./lib/api.js";
import { listen, PLACES } from "./lib/keys.js";
import { Link, useRoute } from "./lib/router.js";
import { Session } from "./lib/session.js";
import { Pulse, useBeat } from "./lib/pulse.js";
import { setTheme, theme } from "./lib/theme.js";
import { Icon, Mark } from "./lib/icons.js";
import { Dialog, Empty, Loading, say, Toasts, Trouble } from "./lib/ui.js";
import { plural } from "./lib/format.js";
import { SignIn } from "./pages/signin.js";
import { Now } from "./pages/now.js";
import { Calls } from "./pages/calls.js";
import { Tokens } from "./pages/tokens.js";
import { Incidents } from "./pages/incidents.js";
import { Compliance } from "./pages/compliance.js";
import { Policy } from "./pages/policy.js";

/** Pages: where, what it needs, its name and drawing, and what draws it. */
const PAGES = [
  { at: "/", needs: "watch", name: "Now", icon: "now", page: Now },
  { at: "/calls", needs: "calls", name: "Calls", icon: "calls", page: Calls },
  { at: "/tokens", needs: "calls", name: "Tokens", icon: "tokens", page: Tokens },
  { at: "/incidents", needs: "inspect", name: "Incidents", icon: "incidents", page: Incidents },
  { at: "/compliance", needs: "export", name: "Compliance", icon: "compliance", page: Compliance },
  { at: "/policy", needs: "inspect", name: "Callers & policy", icon: "policy", page: Policy },
];

const isAt = (path, page) => (page.at === "/" ? path === "/" : path === page.at || path.startsWith(`${page.at}/`));

function Help({ onClose }) {
  const rows = [
    [["/"], "Search calls"], [["j"], "Next row"], [["k"], "Previous row"], [["Enter"], "Open the row"],
    [["Esc"], "Close what is open"], [["?"], "This list"],
    ...PLACES.map(([letter, , name]) => [["g", letter], `Go to ${name}`]),
  ];
  return html`<${Dialog} title="Keyboard" onClose=${onClose}>
    <dl class="shortcuts">${rows.map(([keys, what]) => html`<dt key=${what} class="row">${keys.map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt><dd>${what}</dd>`)}</dl>
    <p class="soft small">Tab and Enter work everywhere. Times are in the zone of this computer; point at one to read it in UTC.</p>
  </${Dialog}>`;
}

function ThemeButton() {
  const [name, set] = useState(theme());
  const next = { system: "light", light: "dark", dark: "system" }[name];
  const change = () => {
    setTheme(next);
    set(next);
  };
  return html`<button type="button" class="button quiet" onClick=${change} aria-label=${`Appearance: ${name}. Change to ${next}.`} title=${`Appearance: ${name}`}><${Icon} name="theme" /></button>`;
}

/** What every page must say above everything else. */
function Banner({ beat }) {
  if (beat.problem) {
    return html`<div class="banner" role="alert"><${Icon} name="incidents" />${beat.problem.title} Figures are from before.</div>`;
  }
  const look = beat.look;
  if (!look) return null;
  const red = Object.keys(look.checks ?? {}).filter((name) => !look.checks[name].ok);
  const lines = [
    look.stage !== "serving" && `The gateway is ${look.stage}.`,
    red.length > 0 && look.stage === "serving" && `Not ready: ${red.join(", ").replaceAll("_", " ")}.`,
  ].filter(Boolean);
  if (lines.length > 0) return html`<div class="banner" role="alert"><${Icon} name="incidents" />${lines.join(" ")} <${Link} to="/">See what to do</${Link}></div>`;
  if (look.locks > 0) return html`<div class="banner warn" role="status"><${Icon} name="lock" />${plural(look.locks, "lock")} in force. <${Link} to="/policy?tab=lockdown">Lockdown</${Link}></div>`;
  return null;
}

function Side({ session, route, beat, help }) {
  const { me, version, leave } = session;
  const open = beat.look?.incidents?.open ?? 0;
  return html`<header class="side">
    <${Link} to="/" class="brand"><${Mark} />Egret</${Link}>
    <nav class="nav" aria-label="Pages">${PAGES.filter((page) => me.permissions.includes(page.needs)).map((page) => html`
      <${Link} key=${page.at} to=${page.at} aria-current=${isAt(route.path, page) ? "page" : undefined}><${Icon} name=${page.icon} />${page.name}
        ${page.at === "/incidents" && open > 0 && html`<span class="count" aria-label=${`${open} open`}>${open}</span>`}</${Link}>`)}</nav>
    <div class="side-foot">
      <div class="who"><b title=${me.name}>${me.name}</b><span>${me.roles.join(", ")}</span>${version && html`<span class="cut">${version.node} · ${version.version}</span>`}</div>
      <div class="side-tools"><${ThemeButton} />
        <button type="button" class="button quiet" onClick=${help} aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)"><${Icon} name="help" /></button>
        <button type="button" class="button quiet" onClick=${leave} aria-label="Sign out" title="Sign out"><${Icon} name="leave" /></button></div>
    </div>
  </header>`;
}

function Frame({ session }) {
  const route = useRoute();
  const [helping, help] = useState(false);
  const beat = useBeat(true);
  const page = PAGES.find((one) => isAt(route.path, one));
  useEffect(() => listen({ help: () => help(true) }), []);

  const body = () => {
    if (!page) return html`<div class="page"><h1>Nothing here</h1><${Empty} title="There is no such page."><${Link} to="/">Go to Now</${Link}></${Empty}></div>`;
    if (!session.me.permissions.includes(page.needs)) {
      return html`<div class="page"><h1>${page.name}</h1><${Empty} title="Your roles do not allow this.">This page needs the permission “${page.needs}”; you are ${session.me.roles.join(" and ") || "without a role"}.</${Empty}></div>`;
    }
    return html`<${page.page} key=${page.at} route=${route} />`;
  };
  return html`<${Session.Provider} value=${session}><${Pulse.Provider} value=${beat}>
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("main").focus(); }}>Skip to the page</a>
    <div class="shell"><${Side} session=${session} route=${route} beat=${beat} help=${() => help(true)} />
      <div class="stage"><${Banner} beat=${beat} /><main id="main" tabindex="-1">${body()}</main></div></div>
    ${helping && html`<${Help} onClose=${() => help(false)} />`}
    <${Toasts} />
  </${Pulse.Provider}></${Session.Provider}>`;
}

function App() {
  const [state, set] = useState({ me: null, problem: null });
  const [version, setVersion] = useState(null);
  const load = useCallback(async () => {
    try {
      set({ me: await get("/me"), problem: null });
    } catch (problem) {
      set({ me: null, problem });
    }
  }, []);
  useEffect(() => {
    load();
    return onSignedOut((problem) => set({ me: null, problem }));
  }, []);
  useEffect(() => {
    if (state.me) get("/version").then(setVersion, () => setVersion(null));
  }, [state.me?.name]);

  const leave = async () => {
    try {
      await send("DELETE", "/session");
      set({ me: null, problem: new Problem({ status: 401 }) });
    } catch (problem) {
      say(problem.title, "bad");
    }
  };
  if (state.me) return html`<${Frame} session=${{ me: state.me, version, leave }} />`;
  if (state.problem?.status === 401) return html`<${SignIn} onSignedIn=${(me) => set({ me, problem: null })} />`;
  if (state.problem) return html`<main class="gate"><div class="card"><div class="card-body"><${Trouble} problem=${state.problem} retry=${load} /></div></div></main>`;
  return html`<main class="gate"><div class="card"><div class="card-body"><${Loading} /></div></div></main>`;
}

render(html`<${App} />`, document.getElementById("app"));
