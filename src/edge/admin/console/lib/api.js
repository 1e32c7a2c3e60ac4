// The Admin API, with its errors as values that a page can show.

export const API = "/api/v1";

/** Longest that a question may take; the API gives up on one to the ledger before. */
const PATIENCE_MS = 60_000;
/** The same for what reads a whole period. */
export const LONG_MS = 310_000;

/** What the API says is wrong (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  constructor({ status = 0, title, detail, retryAfter = null, type = null, errors = null }) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.retryAfter = retryAfter;
    this.type = type;
    this.errors = errors;
  }
}

/** Told when an answer says that nobody is signed in any more. */
const leavers = new Set();
export function onSignedOut(told) {
  leavers.add(told);
  return () => leavers.delete(told);
}

/** The path of an API resource, with those parameters that have a value. */
export function url(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return API + path + (text ? `?${text}` : "");
}

async function problemOf(answer) {
  const retryAfter = Number(answer.headers.get("Retry-After")) || null;
  try {
    const said = await answer.json();
    return new Problem({
      status: answer.status, title: said.title ?? answer.statusText, detail: said.detail,
      type: said.type, errors: said.errors, retryAfter,
    });
  } catch {
    return new Problem({ status: answer.status, title: `The gateway answered ${answer.status}.`, retryAfter });
  }
}

/** Sends a request; gives the answer, or throws a `Problem` or the `AbortError` of the signal. */
export async function ask(method, path, { parameters, body, signal, headers = {}, patience = PATIENCE_MS } = {}) {
  const given = signal ? [signal] : [];
  let answer;
  try {
    answer = await fetch(url(path, parameters), {
      method,
      headers: {
        Accept: "application/json, application/problem+json, */*;q=0.5",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.any([...given, AbortSignal.timeout(patience)]),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({
      title: error.name === "TimeoutError" ? "The gateway took too long to answer." : "The gateway cannot be reached.",
      detail: "The console tries again by itself. If this lasts, check that the gateway runs and that this machine may reach its admin listener.",
    });
  }
  if (!answer.ok) {
    const problem = await problemOf(answer);
    if (answer.status === 401 && path !== "/session") for (const told of leavers) told(problem);
    throw problem;
  }
  return answer;
}

export async function get(path, parameters, signal, patience) {
  return (await ask("GET", path, { parameters, signal, patience })).json();
}

export async function send(method, path, body, patience) {
  const answer = await ask(method, path, { body, patience });
  return answer.status === 204 || answer.headers.get("Content-Length") === "0" ? null : answer.json();
}

function saveAs(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** Has the browser save what a resource answers, of any size, as it comes. */
export function download(path, parameters) {
  saveAs(url(path, parameters), "");
}

/** Saves what a resource answers once it is all here, so that the page can say what went wrong. */
export async function save(path, parameters) {
  const answer = await ask("GET", path, { parameters, patience: LONG_MS });
  const named = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "");
  const address = URL.createObjectURL(await answer.blob());
  saveAs(address, named?.[1] ?? path.split("/").pop());
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
