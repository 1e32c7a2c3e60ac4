// Numbers, times and names as people read them.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

export const NONE = "–";

export function number(value) {
  return value === null || value === undefined ? NONE : whole.format(value);
}

/** As short as it can be: 12.4K. */
export function compact(value) {
  if (value === null || value === undefined) return NONE;
  return Math.abs(value) < 10_000 ? whole.format(value) : short.format(value);
}

/** A rate: more digits the smaller it is. */
export function rate(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (Number.isInteger(value)) return compact(value);
  if (value >= 100) return compact(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function percent(part) {
  if (part === null || part === undefined || Number.isNaN(part)) return NONE;
  const value = part * 100;
  if (value === 0 || value === 100) return `${value} %`;
  return `${value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)} %`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit]}`;
}

/** A short duration, given in microseconds. */
export function micros(value) {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size < 1_000) return `${Math.round(value)} µs`;
  if (size < 100_000) return `${(value / 1_000).toFixed(1)} ms`;
  if (size < 1_000_000) return `${Math.round(value / 1_000)} ms`;
  return size < 60_000_000 ? `${(value / 1_000_000).toFixed(2)} s` : span(value / 1_000_000);
}

/** A short duration, given in seconds. */
export const seconds = (value) => (value === null || value === undefined ? NONE : micros(value * 1e6));

/** A long duration, given in seconds: 3 d 4 h. */
export function span(value) {
  if (value === null || value === undefined) return NONE;
  const left = Math.max(0, Math.round(value));
  const parts = [
    [Math.floor(left / 86_400), "d"],
    [Math.floor(left / 3_600) % 24, "h"],
    [Math.floor(left / 60) % 60, "min"],
    [left % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** Milliseconds since 1970 of a time as the API gives it: RFC 3339, or microseconds. */
export function instant(value) {
  if (value === null || value === undefined || value === "") return null;
  const at = typeof value === "number" ? value / 1_000 : Date.parse(value);
  return Number.isNaN(at) ? null : at;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const brief = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

const pad = (value, size) => String(value).padStart(size, "0");

/** Local, as short as is clear: the time alone for the last half day, else with its day. */
export function local(at, { millis = false, now = Date.now() } = {}) {
  const date = new Date(at);
  const time = clock.format(date) + (millis ? `.${pad(date.getMilliseconds(), 3)}` : "");
  if (Math.abs(now - at) < 12 * 3_600_000) return time;
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return `${(sameYear ? day : dayAndYear).format(date)}, ${time}`;
}

export const hourAndMinute = (at) => brief.format(new Date(at));
export const dayOf = (at) => dayAndYear.format(new Date(at));

const DAY_S = 86_400;

/**
 * What stands below the marks of a time axis, which are `step` seconds apart: no two beside each
 * other say the same. Where days change between hours, the first mark of a day names it.
 */
export function timeMarks(seconds, step) {
  let before = null;
  return seconds.map((second) => {
    const date = new Date(second * 1_000);
    const name = day.format(date);
    const isNew = before !== null && name !== before;
    before = name;
    if (step >= DAY_S || isNew) return name;
    return (step < 60 ? clock : brief).format(date);
  });
}

/** UTC in full, for titles and for reading to somebody in another zone. */
export function utc(at) {
  return `${new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z$/, "")} UTC`;
}

/** How long ago, roughly. */
export function ago(at, now = Date.now()) {
  const past = (now - at) / 1_000;
  if (past < 0) return `in ${rough(-past)}`;
  return past < 5 ? "just now" : `${rough(past)} ago`;
}

function rough(length) {
  if (length < 60) return `${Math.round(length)} s`;
  if (length < 3_600) return `${Math.round(length / 60)} min`;
  if (length < 48 * 3_600) return `${Math.round(length / 3_600)} h`;
  return `${Math.round(length / 86_400)} d`;
}

/** The beginning of an id, enough to tell it from its neighbours on a page. */
export function stem(id, length = 8) {
  if (!id) return NONE;
  return id.length > length + 2 ? `${id.slice(0, length)}…` : id;
}

/** A UUIDv7 differs at its end from its neighbours of the same minute, so both ends are shown. */
export function callStem(id) {
  return id && id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : (id ?? NONE);
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** snake_case and kebab-case words of the API as words. */
export const words = (text) => (text ?? "").replace(/[_-]+/g, " ");
export const sentence = (text) => {
  const spaced = words(text);
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};
