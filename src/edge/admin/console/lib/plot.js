// Plots over time. uPlot draws them; the colours are the stylesheet's, and the text that goes with a
// plot says the same in words.
import uPlot from "../vendor/uplot.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { colour, onTheme } from "./theme.js";
import { hourAndMinute, NONE, timeMarks } from "./format.js";

const ticks = (_self, splits, _axis, _space, step) => timeMarks(splits, step);

/** Half a bar more at both ends, so that the first and the last are whole. */
function roomForBars(self, from, to) {
  const count = self.data[0].length;
  const half = count > 1 ? (to - from) / (count - 1) / 2 : 1;
  return [from - half, to + half];
}

/** Marks of an axis: no digits that say nothing. */
const mark = (format) => (_, splits) => splits.map((value) => (value === 0 ? "0" : format(value).replace(/\.0+(?=\D|$)/, "")));

function options({ series, format, height, width, stacked, bars, group, onCursor }) {
  const faint = colour("--ink-3");
  const grid = { stroke: colour("--plot-grid"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const paths = bars ? uPlot.paths.bars({ size: [0.8, 24], gap: 1 }) : undefined;
  return {
    width, height,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: group ? { key: group } : undefined },
    scales: { x: { time: true, range: bars ? roomForBars : undefined }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      { stroke: faint, grid: { show: false }, ticks: { show: false }, values: ticks, font, size: 24, space: 70 },
      { stroke: faint, grid, ticks: { show: false }, values: mark(format), font, size: 58, space: 32 },
    ],
    // Each fills down to the one below it, the lowest to the ground.
    bands: stacked && !bars ? series.slice(1).map((_, index) => ({ series: [index + 1, index + 2] })) : undefined,
    hooks: { setCursor: [(self) => onCursor(self.cursor.idx)] },
    series: [{}, ...series.map((one) => {
      const stroke = colour(one.colour);
      return {
        stroke, width: 1.5, points: { show: false }, paths, spanGaps: !stacked && one.joined,
        fill: stacked || one.filled ? stroke.replace(/^rgb\(([^)]+)\)$/, `rgba($1, ${bars ? 1 : stacked ? 0.32 : 0.12})`) : undefined,
      };
    })],
  };
}

/** Each series on top of those before it; the uppermost is drawn first, so that all can be seen. */
function stack(series) {
  const sums = [];
  let below = null;
  for (const one of series) {
    const values = one.values;
    below = values.map((value, index) => (below ? below[index] : 0) + (value ?? 0));
    sums.push(below);
  }
  return sums;
}

/**
 * A plot: `at` in seconds, `series` of `{name, colour, values}`. `colour` is a name of the
 * stylesheet, `--plot-1` and so on.
 */
export function Plot({ label, at, series, format, height = 190, stacked = false, bars = false, group, shownAt = hourAndMinute }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [place, setPlace] = useState(null);
  const [look, redraw] = useState(0);
  const shape = series.map((one) => `${one.name}${one.colour}`).join() + height + stacked + bars + look;
  const order = stacked ? [...series].reverse() : series;
  const data = [at, ...(stacked ? stack(series).reverse() : series.map((one) => one.values))];

  useEffect(() => onTheme(() => redraw((value) => value + 1)), []);

  useLayoutEffect(() => {
    const host = box.current;
    const width = () => Math.max(160, host.clientWidth);
    const drawn = new uPlot(options({ series: order, format, height, width: width(), stacked, bars, group, onCursor: setPlace }), data, host);
    plot.current = drawn;
    const watch = new ResizeObserver(() => {
      if (width() !== drawn.width) drawn.setSize({ width: width(), height });
    });
    watch.observe(host);
    return () => {
      watch.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => plot.current?.setData(data), [at, series]);

  const last = at.length - 1;
  const index = place ?? last;
  const value = (one) => {
    const found = one.values[index];
    return found === null || found === undefined ? NONE : format(found);
  };
  const inWords = series.map((one) => {
    const found = one.values.filter((each) => each !== null && each !== undefined);
    return found.length ? `${one.name}: last ${format(found[found.length - 1])}, highest ${format(Math.max(...found))}` : `${one.name}: nothing`;
  }).join("; ");
  return html`<figure class="plot">
    <figcaption class="legend" aria-hidden="true">${series.map((one) => html`<span key=${one.name} class="key"><i class=${one.colour.replace("--plot-", "k")}></i>${one.name} <b>${value(one)}</b></span>`)}
      ${place !== null && at[place] !== undefined && html`<span class="faint">at ${shownAt(at[place] * 1000)}</span>`}</figcaption>
    <div ref=${box} role="img" aria-label=${`${label}. ${inWords}.`}></div>
  </figure>`;
}

/** Colours for as many series as there are; the rest share the last. */
export const colours = (index) => `--plot-${Math.min(7, index + 1)}`;
