// How the gateway is, asked once for all pages every few seconds, with the last hour behind it.
import { createContext, useContext, useEffect, useRef, useState } from "./dom.js";
import { get } from "./api.js";
import { useLoaded } from "./hooks.js";
import { instant } from "./format.js";

const EVERY_MS = 5_000;
/** Samples that are kept: an hour of five seconds each, as the gateway keeps them. */
const KEPT = 720;

export const Pulse = createContext(null);
export const usePulse = () => useContext(Pulse);

const isList = Array.isArray;

/** Puts newer samples behind older ones. What one of both lacks is unknown there. */
function joined(older, newer, before, after) {
  if (isList(older) || isList(newer)) {
    const first = isList(older) ? older : Array(before).fill(null);
    const then = isList(newer) && newer.length === after ? newer : Array(after).fill(null);
    return [...first, ...then].slice(-KEPT);
  }
  const names = new Set([...Object.keys(older ?? {}), ...Object.keys(newer ?? {})]);
  return Object.fromEntries([...names].map((name) => [name, joined(older?.[name], newer?.[name], before, after)]));
}

export function extended(history, more) {
  if (!history || !more) return more ?? history;
  const { step_s, from, ...newer } = more;
  const { step_s: _, from: __, ...older } = history;
  if (more.at.length === 0) return history;
  return { step_s, from, ...joined(older, newer, history.at.length, more.at.length) };
}

/** The newest look, with `history` and its moments in seconds as `seconds`. */
export function useBeat(enabled) {
  const history = useRef(null);
  const [shown, show] = useState(null);
  const state = useLoaded(async (signal) => {
    const since = history.current?.at.at(-1);
    const look = await get("/now", { history: true, since }, signal);
    history.current = extended(history.current, look.history);
    return look;
  }, "now", { every: EVERY_MS, enabled });
  useEffect(() => {
    if (!state.data) return;
    const seconds = history.current ? history.current.at.map((at) => instant(at) / 1_000) : [];
    show({ ...state.data, history: history.current, seconds });
  }, [state.data]);
  return { look: shown, problem: state.problem, loading: state.loading, at: state.at, refresh: state.refresh };
}
