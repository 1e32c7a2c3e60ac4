// The search of calls: what words mean, and what they may become.
import { html, useEffect, useId, useMemo, useState } from "../../lib/dom.js";
import { get, send } from "../../lib/api.js";
import { useLoaded, useSettled } from "../../lib/hooks.js";
import { useMay } from "../../lib/session.js";
import { Icon } from "../../lib/icons.js";
import { words } from "../../lib/format.js";
import { FILTERS } from "./filters.js";

/** Pause after the last key before anything is asked. */
const PAUSE_MS = 200;
/** Words that the API looks at. */
const MAX_WORDS = 8;
const MAX_OFFERS = 8;

/** An identifier as banks write it, whole. */
const GUID = /^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

const split = (text) => text.split(/\s+/).filter(Boolean).slice(0, MAX_WORDS);

/**
 * Whether a word may stand in the address. The beginning of what may yet become a customer's GUID may
 * not; ids of calls begin with the time, which is 01 until the year 2039.
 */
const isPlain = (one) => one.word !== null && (one.name !== "call_id" || one.word.startsWith("01"));

/** Each word with what it means: `plain`, `person` (a whole identifier), or `strange`. */
function sorted(text, understood) {
  const given = split(text);
  const found = { plain: [], person: [], strange: [] };
  given.forEach((word, index) => {
    const one = understood.length === given.length ? understood[index] : understood.find((other) => other.word === word);
    if (one && isPlain(one)) found.plain.push(one);
    else if (one && one.word === null && GUID.test(word)) found.person.push(one);
    else found.strange.push({ word, meaning: one?.word === null ? one : null });
  });
  return found;
}

/**
 * What the typed words mean. The API is asked in a body, never in an address: it makes a pseudonym of
 * whatever may be a person's identifier.
 */
export function useWords(text) {
  const wanted = text.trim();
  const settled = useSettled(wanted, PAUSE_MS);
  const state = useLoaded(async () => {
    const { understood } = settled ? await send("POST", "/calls/terms", { q: settled }) : { understood: [] };
    return { text: settled, ...sorted(settled, understood) };
  }, settled);
  return {
    problem: state.problem,
    refresh: state.refresh,
    isReady: state.data !== null,
    isCurrent: state.data?.text === wanted && !state.problem,
    found: state.data ?? { text: "", plain: [], person: [], strange: [] },
  };
}

/** Everything that a word could be meant to become, by name. */
function useOffers() {
  const mayInspect = useMay("inspect");
  const callers = useLoaded((signal) => get("/callers", {}, signal), "callers", { enabled: mayInspect });
  const providers = useLoaded((signal) => get("/providers", {}, signal), "providers");
  return useMemo(() => [
    ...(callers.data?.callers ?? []).map((one) => ["caller", one.name]),
    ...(providers.data?.providers ?? []).map((one) => ["provider", one.id]),
    ...Object.entries(FILTERS).flatMap(([name, { values }]) => (values ?? []).map((value) => [name, value])),
  ], [callers.data, providers.data]);
}

function fitting(offers, word) {
  if (!word) return [];
  const low = word.toLowerCase();
  const rank = ([, value]) => (value.toLowerCase().startsWith(low) ? 0 : 1);
  return offers.filter(([, value]) => value.toLowerCase().includes(low))
    .sort((a, b) => rank(a) - rank(b) || a[1].localeCompare(b[1])).slice(0, MAX_OFFERS);
}

/** The field, with what the last word could become below it. */
export function SearchField({ text, onText, onAdd, onEnter }) {
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const list = useId();
  const offers = useOffers();
  const lastWord = /\S*$/.exec(text)[0];
  const shown = open ? fitting(offers, lastWord) : [];
  useEffect(() => setActive(-1), [lastWord]);

  const take = ([name, value]) => {
    setOpen(false);
    onAdd(name, value, text.slice(0, text.length - lastWord.length));
  };
  const pressed = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (shown.length === 0) return;
      event.preventDefault();
      // One place before the first is the field itself.
      const next = active + (event.key === "ArrowDown" ? 1 : -1);
      setActive(next >= shown.length ? -1 : next < -1 ? shown.length - 1 : next);
    } else if (event.key === "Enter") {
      if (shown[active]) take(shown[active]);
      else {
        setOpen(false);
        onEnter();
      }
    } else if (event.key === "Escape" && (shown.length > 0 || text)) {
      event.preventDefault();
      event.stopPropagation();
      if (shown.length > 0) setOpen(false);
      else onText("");
    }
  };
  const typed = (event) => {
    setOpen(true);
    onText(event.target.value);
  };
  return html`<div class="search" role="search"><${Icon} name="search" />
    <input type="search" data-search value=${text} onInput=${typed} onKeyDown=${pressed} onBlur=${() => setOpen(false)} autocomplete="off" spellcheck="false"
      role="combobox" aria-autocomplete="list" aria-expanded=${String(shown.length > 0)} aria-controls=${list} aria-activedescendant=${shown[active] ? `${list}-${active}` : undefined}
      aria-label="Search calls" aria-describedby="search-hint" placeholder="Caller, operation, status, call id, fingerprint, customer GUID…" />
    <kbd aria-hidden="true">/</kbd>
    <ul id=${list} class="offers" role="listbox" aria-label="What the word could be" hidden=${shown.length === 0}>${shown.map((offer, index) => html`
      <li key=${offer.join()} id=${`${list}-${index}`} role="option" aria-selected=${String(index === active)} onPointerDown=${(event) => { event.preventDefault(); take(offer); }}><span class="faint">${FILTERS[offer[0]].label}</span> ${words(offer[1])}</li>`)}</ul>
    <p id="search-hint" class="unseen">Words are understood one by one. A customer’s GUID is replaced by its pseudonym before it is searched.</p>
  </div>`;
}
