// Cells as pictures: what was heard, and what sounded wrong. One byte a cell; 255 is nothing.

import { Canvas, FONT, hatch } from './canvas.js';
import { h, say } from './dom.js';
import { clockSeconds, hertz } from './format.js';
import { colour } from './theme.js';

const LEFT = 52;
const BOTTOM = 20;
const TICKS_HZ = [100, 200, 500, 1000, 2000, 4000, 8000, 16000];
// From quiet to loud, and from ordinary to wrong: cold below the threshold, warm above it. The lightness of both grows all the way.
const LEVEL = [[0, '#07071d'], [0.25, '#3b0f70'], [0.5, '#8c2981'], [0.7, '#de4968'], [0.87, '#fe9f6d'], [1, '#fcfdbf']];
const ANOMALY = [[0, '#0b1e3b'], [0.499, '#44658f'], [0.501, '#c8553d'], [0.75, '#f4a259'], [1, '#fff1a8']];
const ANOMALY_RANGE = 10; // colours go from a tenth of the threshold to ten times it

function ramp(stops) {
  const rgb = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const found = new Uint8Array(256 * 3);
  for (let index = 0; index < 256; index += 1) {
    const place = index / 255;
    const upper = Math.max(1, stops.findIndex(([at]) => at >= place));
    const [[from, a], [to, b]] = [stops[upper - 1], stops[upper]];
    const share = (place - from) / (to - from);
    const [low, high] = [rgb(a), rgb(b)];
    for (let part = 0; part < 3; part += 1) found[index * 3 + part] = low[part] + share * (high[part] - low[part]);
  }
  return found;
}

const RAMPS = { level: ramp(LEVEL), anomaly: ramp(ANOMALY) };

/** The bytes of base64. */
export function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let index = 0; index < raw.length; index += 1) found[index] = raw.charCodeAt(index);
  return found;
}

/** Where a byte lies between the coldest and the warmest colour, for all 256 of them. */
function shades(kind, meta, cells) {
  const found = new Uint8Array(256);
  if (kind === 'anomaly') {
    for (let value = 0; value < 255; value += 1) {
      const anomaly = Math.max(value * meta.anomaly_step, 1e-6);
      const place = 0.5 + Math.log(anomaly) / (2 * Math.log(ANOMALY_RANGE));
      found[value] = Math.round(255 * Math.min(1, Math.max(0, place)));
    }
    return found;
  }
  const counts = new Uint32Array(256);
  let all = 0;
  for (const value of cells) {
    if (value !== 255) {
      counts[value] += 1;
      all += 1;
    }
  }
  const at = (share) => {
    let left = share * all;
    return counts.findIndex((count) => (left -= count) <= 0);
  };
  const [low, high] = [at(0.02), Math.max(at(0.998), at(0.02) + 20)];
  for (let value = 0; value < 255; value += 1) found[value] = Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low))));
  return found;
}

/** Time by frequency on a canvas, with hertz at the left and time below. */
export class Picture {
  constructor(kind, label) {
    this.kind = kind;
    this.label = label;
    this.surface = h('canvas', { class: 'picture', role: 'img', 'aria-label': label, tabIndex: 0 });
    this.reading = h('p', { class: 'reading' });
    this.element = h('figure', { class: 'picture-box' }, h('figcaption', {}, label), this.surface, this.reading);
    this.canvas = new Canvas(this.surface, (...size) => this.draw(...size));
    this.image = null; // steps wide, bands high
    this.meta = null;
    this.span = [0, 1]; // what is seen, seconds since 1970
    this.regions = [];
    this.playing = null;
    this.surface.addEventListener('pointermove', (event) => this.read(event));
    this.surface.addEventListener('pointerleave', () => say(this.reading, ''));
  }

  close() {
    this.canvas.close();
  }

  /** `cells` is time by band, lowest band first; `start` is when it begins. */
  set(cells, meta, start) {
    const bands = meta.band_edges_hz.length - 1;
    const steps = Math.floor(cells.length / bands);
    this.cells = cells;
    this.meta = meta;
    this.start = start;
    this.steps = steps;
    if (!steps) return;
    if (this.image?.width !== steps || this.image.height !== bands) {
      this.image = h('canvas', { width: steps, height: bands });
      this.pixels = new ImageData(steps, bands);
    }
    const table = shades(this.kind, meta, cells);
    const colours = RAMPS[this.kind];
    const { data } = this.pixels;
    for (let step = 0; step < steps; step += 1) {
      for (let band = 0; band < bands; band += 1) {
        const value = cells[step * bands + band];
        const at = ((bands - 1 - band) * steps + step) * 4;
        const shade = table[value] * 3;
        data[at] = colours[shade];
        data[at + 1] = colours[shade + 1];
        data[at + 2] = colours[shade + 2];
        data[at + 3] = value === 255 ? 0 : 255;
      }
    }
    this.image.getContext('2d').putImageData(this.pixels, 0, 0);
    this.canvas.request();
  }

  /** What is seen. */
  look(from, to) {
    this.span = [from, to];
    this.canvas.request();
  }

  x(t, width) {
    return LEFT + ((t - this.span[0]) / (this.span[1] - this.span[0])) * (width - LEFT);
  }

  /** Where a frequency is: bands are equally high, and within one it is linear. */
  y(hz, tall) {
    const edges = this.meta.band_edges_hz;
    const bands = edges.length - 1;
    let band = edges.findIndex((edge) => edge > hz) - 1;
    if (band < 0) band = hz < edges[0] ? 0 : bands - 1;
    const within = Math.min(1, Math.max(0, (hz - edges[band]) / (edges[band + 1] - edges[band])));
    return (1 - (band + within) / bands) * (tall - BOTTOM);
  }

  draw(context, width, tall) {
    const floor = tall - BOTTOM;
    context.clearRect(0, 0, width, tall);
    hatch(context, LEFT, 0, width, floor);
    if (this.meta === null) return;
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT, floor);
    context.clip();
    if (this.image !== null && this.steps) {
      context.imageSmoothingEnabled = false;
      const from = this.x(this.start, width);
      const to = this.x(this.start + this.steps * this.meta.step_s, width);
      context.drawImage(this.image, from, 0, to - from, floor);
    }
    this.drawRegions(context, width, tall);
    context.restore();
    this.drawAxes(context, width, tall);
  }

  drawRegions(context, width, tall) {
    for (const region of this.regions) {
      const [x0, x1] = [this.x(region.from, width), this.x(region.to, width)];
      const [y0, y1] = [this.y(region.f_hi_hz, tall), this.y(region.f_lo_hz, tall)];
      const box = [x0, y0, Math.max(3, x1 - x0), Math.max(3, y1 - y0)];
      if (region.filled) {
        context.fillStyle = region.filled;
        context.fillRect(...box);
      }
      context.lineWidth = 3;
      context.strokeStyle = '#000';
      context.strokeRect(...box);
      context.lineWidth = 1.4;
      context.strokeStyle = '#fff';
      context.strokeRect(...box);
    }
    if (this.playing !== null) {
      context.fillStyle = '#fff';
      context.fillRect(this.x(this.playing, width) - 1, 0, 2, tall - BOTTOM);
    }
  }

  drawAxes(context, width, tall) {
    context.font = FONT;
    context.fillStyle = colour('--soft');
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const edges = this.meta.band_edges_hz;
    let free = tall;
    for (const hz of TICKS_HZ) {
      if (hz < edges[0] || hz > edges.at(-1)) continue;
      const y = this.y(hz, tall);
      if (y > free - 13) continue;
      free = y;
      context.fillText(hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, LEFT - 5, Math.max(7, y));
    }
    context.textAlign = 'center';
    const [from, to] = this.span;
    const step = [1, 2, 5, 10, 15, 20, 30, 60].find((seconds) => (to - from) / seconds <= Math.max(2, (width - LEFT) / 80)) ?? 60;
    for (let t = Math.ceil(from / step) * step; t < to; t += step) {
      const x = this.x(t, width);
      if (x > LEFT + 26 && x < width - 26) context.fillText(clockSeconds(t), x, tall - 7);
    }
  }

  /** Say what is under the pointer. */
  read(event) {
    if (!this.meta) return;
    const box = this.surface.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const edges = this.meta.band_edges_hz;
    const bands = edges.length - 1;
    const band = Math.floor((1 - y / (this.canvas.height - BOTTOM)) * bands);
    const t = this.span[0] + ((x - LEFT) / (this.canvas.width - LEFT)) * (this.span[1] - this.span[0]);
    if (band < 0 || band >= bands || x < LEFT) {
      say(this.reading, '');
      return;
    }
    const step = Math.floor((t - this.start) / this.meta.step_s);
    const value = step >= 0 && step < this.steps ? this.cells[step * bands + band] : 255;
    const where = `${clockSeconds(t)}, ${hertz(edges[band])} – ${hertz(edges[band + 1])}`;
    say(this.reading, value === 255 ? where : `${where}: ${this.worth(value)}`);
  }

  worth(value) {
    if (this.kind === 'level') return `${(this.meta.level_min_db + value * this.meta.level_step_db).toFixed(0)} dB`;
    return `${value === 254 ? 'at least ' : ''}${(value * this.meta.anomaly_step).toFixed(2)} of the threshold`;
  }
}

const SEEN_S = 90;

/** The last minute and a half of a source, scrolling: both pictures from one ring of cells that never grows. */
export class LiveCells {
  constructor() {
    this.level = new Picture('level', 'What is heard');
    this.anomaly = new Picture('anomaly', 'What sounds wrong');
    this.meta = null;
    this.end = 0;
    this.heardMs = 0;
    this.shiftS = 1;
    this.frame = 0;
    this.drawnMs = 0;
    this.calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  }

  get isEmpty() {
    return this.meta === null;
  }

  add(message) {
    const bands = message.band_edges_hz.length - 1;
    const isSame = this.meta !== null && this.meta.step_s === message.step_s && this.meta.band_edges_hz.join() === message.band_edges_hz.join();
    if (!isSame) {
      this.size = Math.ceil(SEEN_S / message.step_s);
      this.rings = { level: new Uint8Array(this.size * bands).fill(255), anomaly: new Uint8Array(this.size * bands).fill(255) };
      this.end = message.t_start;
    }
    this.meta = message;
    const apart = message.t_start - this.end;
    let missing = Math.abs(apart) < 0.1 ? 0 : Math.round(apart / message.step_s); // stamps have milliseconds, and clocks are corrected
    if (missing < 0 && missing > -this.size) return; // it has come twice
    missing = Math.min(Math.abs(missing), this.size);
    for (const kind of ['level', 'anomaly']) {
      const ring = this.rings[kind];
      const fresh = bytes(message[kind]);
      const shift = Math.min(ring.length, missing * bands + fresh.length);
      ring.copyWithin(0, shift);
      ring.fill(255, ring.length - shift);
      ring.set(fresh.subarray(Math.max(0, fresh.length - ring.length)), Math.max(0, ring.length - fresh.length));
    }
    this.end = message.t_start + message.steps * message.step_s;
    this.shiftS = Math.min(2, message.steps * message.step_s);
    this.heardMs = performance.now();
    const start = this.end - this.size * message.step_s;
    this.level.set(this.rings.level, message, start);
    this.anomaly.set(this.rings.anomaly, message, start);
    if (!this.frame) this.scroll();
  }

  /** Between two messages the picture moves on, one message behind. */
  scroll() {
    this.frame = requestAnimationFrame((now) => {
      this.frame = 0;
      const waited = (now - this.heardMs) / 1000;
      if (now - this.drawnMs >= 60 || waited > this.shiftS) {
        this.drawnMs = now;
        const to = this.end - (this.calm ? 0 : Math.max(0, this.shiftS - waited));
        for (const picture of [this.level, this.anomaly]) picture.look(to - SEEN_S + 2, to);
      }
      if (waited < this.shiftS && !this.calm) this.scroll();
    });
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.level.close();
    this.anomaly.close();
  }
}
