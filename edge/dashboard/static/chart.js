// Scores by time. Up to the threshold the axis is linear, above it each doubling is one step: a large peak hides nothing.

import { Canvas, FONT, hatch, line } from './canvas.js';
import { h, say } from './dom.js';
import { clock, clockSeconds, day, moment, score } from './format.js';
import { colour } from './theme.js';

const TICKS = [0, 0.5, 1, 2, 4, 8, 16, 32, 64];
const LEFT = 34;
const BOTTOM = 22;
const STEPS_S = [10, 30, 60, 120, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/** Where a score stands on the axis. */
export const height = (value) => (value <= 1 ? Math.max(0, value) : 1 + Math.log2(value));

/**
 * Rows `[t, low, high, above]` from `since` to `until`, each `step` seconds long; `gaps` are hatched, `events` are bars below.
 * A tap, the mouse or the arrow keys read it; `onEvent(event)` opens an event.
 */
export class Chart {
  constructor({ label, onEvent = null, seconds = false }) {
    this.label = label;
    this.onEvent = onEvent;
    this.clock = seconds ? clockSeconds : clock;
    this.data = { since: 0, until: 1, step: 1, rows: [], gaps: [], events: [] };
    this.cursor = null;
    this.surface = h('canvas', { class: 'chart', tabIndex: 0, role: 'img', 'aria-label': label });
    this.reading = h('p', { class: 'reading', role: 'status' });
    this.element = h('div', { class: 'chart-box' }, this.surface, this.reading);
    this.canvas = new Canvas(this.surface, (...size) => this.draw(...size));
    this.surface.addEventListener('pointermove', (event) => this.point(event));
    this.surface.addEventListener('pointerdown', (event) => this.point(event));
    this.surface.addEventListener('pointerleave', () => this.read(null));
    this.surface.addEventListener('click', (event) => this.open(event));
    this.surface.addEventListener('keydown', (event) => this.key(event));
  }

  set(data) {
    this.data = { gaps: [], events: [], ...data };
    const { rows } = this.data;
    const highest = rows.reduce((most, row) => Math.max(most, row[2] ?? 0), 0);
    const told = rows.length ? `highest score ${score(highest)}, ${this.data.events.length} events` : 'no scores';
    this.surface.setAttribute('aria-label', `${this.label}: ${told}`);
    this.canvas.request();
  }

  close() {
    this.canvas.close();
  }

  x(t) {
    return LEFT + ((t - this.data.since) / (this.data.until - this.data.since)) * (this.canvas.width - LEFT - 4);
  }

  t(x) {
    return this.data.since + ((x - LEFT) / (this.canvas.width - LEFT - 4)) * (this.data.until - this.data.since);
  }

  draw(context, width, tall) {
    const { since, until, step, rows, gaps, events } = this.data;
    const highest = rows.reduce((most, row) => Math.max(most, row[2] ?? 0), 1.5);
    const top = Math.max(2.1, height(highest) + 0.15);
    const floor = tall - BOTTOM - (events.length ? 8 : 0);
    const y = (value) => floor - (height(value) / top) * (floor - 6);
    context.clearRect(0, 0, width, tall);
    context.font = FONT;
    context.textBaseline = 'middle';
    context.lineWidth = 1;
    for (const tick of TICKS) {
      if (height(tick) > top) break;
      context.fillStyle = context.strokeStyle = colour(tick === 1 ? '--alarm' : '--line');
      context.setLineDash(tick === 1 ? [5, 3] : []);
      line(context, LEFT, y(tick), width - 4, y(tick));
      context.fillStyle = colour(tick === 1 ? '--alarm' : '--soft');
      context.textAlign = 'right';
      context.fillText(String(tick), LEFT - 6, y(tick));
    }
    context.setLineDash([]);
    this.drawTimes(context, width, tall);
    for (const gap of gaps) hatch(context, this.x(Math.max(gap.t_start, since)), 6, this.x(Math.min(gap.t_end, until)), floor);
    this.drawRows(context, y, rows, step);
    context.fillStyle = colour('--alarm');
    for (const event of events) {
      const [from, to] = [this.x(event.t_start), this.x(event.t_end)];
      context.globalAlpha = event.verdict === 'false_alarm' ? 0.35 : 1;
      context.fillRect(from, floor + 4, Math.max(3, to - from), 5);
    }
    context.globalAlpha = 1;
    if (this.cursor !== null) {
      context.strokeStyle = colour('--ink');
      line(context, this.x(this.cursor), 4, this.x(this.cursor), floor);
    }
  }

  drawTimes(context, width, tall) {
    const { since, until } = this.data;
    const step = STEPS_S.find((seconds) => (until - since) / seconds <= Math.max(2, width / 110)) ?? STEPS_S.at(-1);
    const zoneS = new Date(since * 1000).getTimezoneOffset() * 60;
    context.fillStyle = colour('--soft');
    context.textAlign = 'center';
    for (let t = Math.ceil((since - zoneS) / step) * step + zoneS; t < until; t += step) {
      const text = step >= 86400 ? day(t) : this.clock(t);
      const x = this.x(t);
      if (x > LEFT + 16 && x + context.measureText(text).width / 2 < width) context.fillText(text, x, tall - 8);
    }
  }

  drawRows(context, y, rows, step) {
    const tolerated = step * 2.2;
    for (let from = 0; from < rows.length; ) {
      let to = from + 1;
      while (to < rows.length && rows[to][0] - rows[to - 1][0] <= tolerated) to += 1;
      this.drawStretch(context, y, rows.slice(from, to), step);
      from = to;
    }
  }

  drawStretch(context, y, rows, step) {
    const middle = step / 2;
    if (rows.some((row) => row[1] !== row[2])) {
      context.fillStyle = colour('--band');
      context.beginPath();
      rows.forEach((row, index) => context[index ? 'lineTo' : 'moveTo'](this.x(row[0] + middle), y(row[2])));
      for (const row of rows.toReversed()) context.lineTo(this.x(row[0] + middle), y(row[1]));
      context.fill();
    }
    context.strokeStyle = colour('--mark');
    context.lineWidth = 1.6;
    context.beginPath();
    rows.forEach((row, index) => context[index ? 'lineTo' : 'moveTo'](this.x(row[0] + middle), y(row[2])));
    if (rows.length === 1) context.lineTo(this.x(rows[0][0] + middle) + 1, y(rows[0][2]));
    context.stroke();
    context.strokeStyle = colour('--alarm');
    context.lineWidth = 2.2;
    context.beginPath();
    for (const row of rows) {
      if (row[2] < 1) continue;
      const x = this.x(row[0] + middle);
      context.moveTo(x, y(1));
      context.lineTo(x, y(row[2]));
    }
    context.stroke();
    context.lineWidth = 1;
  }

  point(event) {
    const box = this.surface.getBoundingClientRect();
    this.read(this.t(event.clientX - box.left));
  }

  key(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    const { since, until, step, rows } = this.data;
    const at = this.cursor ?? rows.at(-1)?.[0] ?? until;
    this.read(Math.min(until, Math.max(since, at + move * Math.max(step, (until - since) / 200))));
  }

  /** Show what the chart says at a time. */
  read(t) {
    this.cursor = t;
    this.canvas.request();
    if (t === null) {
      say(this.reading, '');
      return;
    }
    const { step, rows, gaps } = this.data;
    const row = rows.findLast((one) => one[0] <= t);
    const gap = gaps.find((one) => one.t_start <= t && t <= one.t_end);
    if (row && t - row[0] <= step * 1.5) {
      const range = row[1] === row[2] ? score(row[2]) : `${score(row[1])} to ${score(row[2])}`;
      say(this.reading, `${moment(row[0], step < 60)}: score ${range}`);
    } else say(this.reading, `${moment(t)}: ${gap ? gap.reason : 'nothing heard'}`);
  }

  open(event) {
    if (!this.onEvent) return;
    const box = this.surface.getBoundingClientRect();
    const x = event.clientX - box.left;
    const near = this.data.events
      .map((one) => ({ one, far: Math.max(0, this.x(one.t_start) - x, x - this.x(one.t_end)) }))
      .sort((a, b) => a.far - b.far)[0];
    if (near && near.far < 12) this.onEvent(near.one);
  }
}

/** A small picture of a day: highest scores, threshold, nothing to click. */
export class Spark {
  constructor() {
    this.element = h('canvas', { class: 'spark', 'aria-hidden': 'true' });
    this.canvas = new Canvas(this.element, (...size) => this.draw(...size));
    this.data = { since: 0, until: 1, step: 1, rows: [] };
  }

  set(data) {
    this.data = data;
    this.canvas.request();
  }

  close() {
    this.canvas.close();
  }

  draw(context, width, tall) {
    const { since, until, step, rows } = this.data;
    context.clearRect(0, 0, width, tall);
    const top = Math.max(1.4, ...rows.map((row) => height(row[1])));
    const x = (t) => ((t - since) / (until - since)) * width;
    const y = (value) => tall - 2 - (height(value) / top) * (tall - 4);
    context.strokeStyle = colour('--line');
    context.setLineDash([3, 3]);
    line(context, 0, y(1), width, y(1));
    context.setLineDash([]);
    const bar = Math.max(1, x(since + step) - 0.5);
    for (const [t, high] of rows) {
      context.fillStyle = colour(high > 1 ? '--alarm' : '--mark');
      context.fillRect(x(t), y(high), bar, tall - y(high));
    }
  }
}
