// Where in the console one is. All of it is in the address, so that a link shows the same to others
// and a reload changes nothing.
import { html, useEffect, useState } from "./dom.js";

export const BASE = "";

const listeners = new Set();

function read() {
  const path = location.pathname.startsWith(BASE) ? location.pathname.slice(BASE.length) : "";
  return {
    path: path.replace(/\/+$/, "") || "/",
    query: new URLSearchParams(location.search),
    key: location.pathname + location.search,
  };
}

let current = read();

function told() {
  current = read();
  for (const listener of listeners) listener(current);
}

addEventListener("popstate", told);

/** Goes to a path of the console. */
export function go(path, { replace = false } = {}) {
  const target = BASE + path;
  if (target === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  told();
  if (!replace) scrollTo(0, 0);
}

export function useRoute() {
  const [route, set] = useState(current);
  useEffect(() => {
    listeners.add(set);
    set(current);
    return () => listeners.delete(set);
  }, []);
  return route;
}

/** A path with a query; empty values are left out. */
export function path(base, query) {
  const pairs = query instanceof URLSearchParams ? [...query] : Object.entries(query ?? {});
  const kept = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(kept).toString();
  return text ? `${base}?${text}` : base;
}

/** Changes parts of the query; `null` takes one out. */
export function amend(query, changes) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** A link inside the console. Modified clicks open a tab, as everywhere. */
export function Link({ to, children, replace, onClick, ...rest }) {
  const follow = (event) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to, { replace });
  };
  return html`<a href=${BASE + to} onClick=${follow} ...${rest}>${children}</a>`;
}
