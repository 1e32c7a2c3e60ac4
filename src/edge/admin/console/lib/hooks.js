// Data that comes from the API, and stays fresh.
import { useCallback, useEffect, useRef, useState } from "./dom.js";

const FIRST = { data: null, problem: null, loading: true, at: null };

/** Longest pause between tries while the gateway cannot be reached. */
const MAX_PAUSE_MS = 30_000;

/**
 * Loads something, again whenever `key` changes and every `every` milliseconds while the page can be
 * seen. A question that is no longer asked is aborted. What was there stays on the page while the
 * same question is asked again, so that nothing jumps.
 */
export function useLoaded(load, key, { every = null, enabled = true } = {}) {
  const [state, set] = useState(FIRST);
  const latest = useRef(load);
  latest.current = load;
  const [turn, again] = useState(0);
  const shown = useRef(null);

  useEffect(() => {
    if (!enabled) {
      set({ ...FIRST, loading: false });
      return undefined;
    }
    let timer = null;
    let failures = 0;
    let asked = null;
    const isSame = shown.current === key;
    set((before) => (isSame ? { ...before, loading: true } : { ...FIRST, data: before.data, stale: true }));

    const run = async () => {
      asked?.abort();
      const mine = new AbortController();
      asked = mine;
      try {
        const data = await latest.current(mine.signal);
        if (mine.signal.aborted) return;
        failures = 0;
        shown.current = key;
        set({ data, problem: null, loading: false, at: Date.now() });
      } catch (problem) {
        if (mine.signal.aborted) return;
        failures += 1;
        set((before) => ({
          data: shown.current === key ? before.data : null, problem, loading: false, at: before.at,
        }));
      }
      plan();
    };
    const plan = () => {
      clearTimeout(timer);
      if (every && !document.hidden) {
        timer = setTimeout(run, Math.min(every * 2 ** Math.min(failures, 4), Math.max(every, MAX_PAUSE_MS)));
      }
    };
    const seen = () => {
      if (every && !document.hidden) run();
      else clearTimeout(timer);
    };
    document.addEventListener("visibilitychange", seen);
    run();
    return () => {
      asked?.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, every, enabled, turn]);

  const refresh = useCallback(() => again((value) => value + 1), []);
  return { ...state, refresh };
}

/** The value once it has not changed for a while. */
export function useSettled(value, pause = 250) {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), pause);
    return () => clearTimeout(timer);
  }, [value, pause]);
  return settled;
}

/** Runs an act once at a time, and keeps what went wrong. */
export function useAct(act) {
  const [state, set] = useState({ busy: false, problem: null });
  const run = async (...given) => {
    set({ busy: true, problem: null });
    try {
      const result = await act(...given);
      set({ busy: false, problem: null });
      return result;
    } catch (problem) {
      set({ busy: false, problem });
      return undefined;
    }
  };
  return { ...state, run };
}

const clocks = new Map();

/** One timer for all that want to know the time every so often. */
function clock(every) {
  if (!clocks.has(every)) {
    const told = new Set();
    setInterval(() => {
      const now = Date.now();
      for (const tell of told) tell(now);
    }, every);
    clocks.set(every, told);
  }
  return clocks.get(every);
}

/** The present, told every so often: for "3 min ago". */
export function useNow(every = 10_000) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const told = clock(every);
    told.add(set);
    return () => told.delete(set);
  }, [every]);
  return now;
}

/** The title of the window. */
export function useTitle(title) {
  useEffect(() => {
    document.title = `${title} · Egret`;
  }, [title]);
}
