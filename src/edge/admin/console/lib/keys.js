// The keyboard. Rows of lists are links, so the browser's own Tab and Enter work too.
import { go } from "./router.js";

/** Pages by the letter after `g`. */
export const PLACES = [
  ["n", "/", "Now"],
  ["c", "/calls", "Calls"],
  ["t", "/tokens", "Tokens"],
  ["i", "/incidents", "Incidents"],
  ["r", "/compliance", "Compliance"],
  ["p", "/policy", "Callers & policy"],
];

/** How long `g` waits for its letter. */
const PREFIX_MS = 1_500;

const escapes = [];

/** Has Escape do something while it is wanted; what was asked for last goes first. */
export function onEscape(act) {
  escapes.push(act);
  return () => {
    const place = escapes.indexOf(act);
    if (place >= 0) escapes.splice(place, 1);
  };
}

const isTyping = (element) =>
  element instanceof HTMLElement &&
  (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)) &&
  !/^(checkbox|radio|button|submit)$/.test(element.type);

function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.getClientRects().length > 0);
  if (rows.length === 0) return;
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const marked = rows.findIndex((row) => row.getAttribute("aria-current") === "true");
  const from = here >= 0 ? here : marked;
  const next = rows[from < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, from + step))];
  next.querySelector("a, button")?.focus();
  next.scrollIntoView({ block: "nearest" });
}

/** Listens to the keys that hold everywhere. */
export function listen({ help }) {
  let prefix = 0;
  const pressed = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (document.querySelector("dialog[open]")) return;
      const last = escapes[escapes.length - 1];
      if (last) {
        event.preventDefault();
        last();
      } else if (isTyping(document.activeElement)) {
        document.activeElement.blur();
      }
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (Date.now() - prefix < PREFIX_MS) {
      prefix = 0;
      const place = PLACES.find(([letter]) => letter === event.key);
      if (place) {
        event.preventDefault();
        go(place[1]);
        document.querySelector("main")?.focus();
        return;
      }
    }
    const act = {
      "/": () => {
        const search = document.querySelector("[data-search]");
        if (search) search.focus();
        else go("/calls");
      },
      "?": help,
      j: () => moveRow(1),
      k: () => moveRow(-1),
      g: () => { prefix = Date.now(); },
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  };
  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
}
