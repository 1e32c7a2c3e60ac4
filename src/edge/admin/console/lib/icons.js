// Drawings of 16 by 16, in the colour of the text around them. They say nothing that a word beside
// them does not, so readers of screens pass over them.
import { html } from "./dom.js";

const SHAPES = {
  now: "M1.5 8h3l2-5 3 10 2-5h3",
  calls: "M2 4h12M2 8h12M2 12h8",
  tokens: "M9.5 6.5a3.5 3.5 0 1 0-2.4 3.3l1.4 1.4h1.8v1.8h1.9V15H14v-2.2L9.3 8a3.5 3.5 0 0 0 .2-1.5ZM5 5.4h.01",
  incidents: "M8 2 1.5 13.5h13L8 2Zm0 4.5v3.2m0 1.9v.1",
  compliance: "M3.5 1.5h6L12.5 5v9.5h-9v-13Zm2.5 7.3 1.4 1.4 2.8-3",
  policy: "M8 1.5 2.5 3.7v4c0 3.4 2.3 5.6 5.5 6.8 3.2-1.2 5.5-3.4 5.5-6.8v-4L8 1.5Z",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8 3.4 3.4",
  close: "m4 4 8 8m0-8-8 8",
  lock: "M4 7.5h8v6H4v-6Zm1.8 0V5.2a2.2 2.2 0 0 1 4.4 0v2.3",
  download: "M8 2v8m-3-3 3 3 3-3M3 13.5h10",
  copy: "M5.5 5.5h8v8h-8v-8Zm-3 5v-8h8",
  plus: "M8 3v10M3 8h10",
  back: "M10 3 5 8l5 5",
  next: "m6 3 5 5-5 5",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11v-11Zm0 0a5.5 5.5 0 0 1 0 11",
  help: "M6 6a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4m0 2.2v.1M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z",
  leave: "M6.5 2.5h-4v11h4M7 8h7m-2.5-2.5L14 8l-2.5 2.5",
  check: "m3 8.5 3.2 3.2L13 5",
};

export function Icon({ name }) {
  return html`<svg class="icon" width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false"><path d=${SHAPES[name]} /></svg>`;
}

/** The bird: one line from beak to back. */
export function Mark() {
  return html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    <path d="M2.5 6.2 8.4 5c1-1.6 3.4-1.5 4.1.3.9 2.3-2.6 4-2.1 6.6.4 1.9 2.4 2 5 2.5 2.4.5 4.6 1.700 6.100 3.600-3.200.8-7.300 1-9.900-.7-2.500-1.600-3.700-4-2.900-6.600M12.500 17.800v4.200M14.800 17.900v4.100" /><path d="M9.900 5.400h.01" />
  </svg>`;
}
