// A canvas that keeps its size in device pixels, and is drawn again when it, or the theme, changes.

import { colour, onTheme } from './theme.js';

/** Calls `draw(context, width, height)`, in CSS pixels, at most once per frame. */
export class Canvas {
  constructor(element, draw) {
    this.element = element;
    this.context = element.getContext('2d');
    this.draw = draw;
    this.width = 0;
    this.height = 0;
    this.frame = 0;
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(element);
    this.unlisten = onTheme(() => this.request());
  }

  measure() {
    const { width, height } = this.element.getBoundingClientRect();
    const ratio = Math.min(devicePixelRatio || 1, 3);
    if (!width || !height) return;
    this.width = width;
    this.height = height;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.element.width !== across || this.element.height !== down) {
      this.element.width = across;
      this.element.height = down;
    }
    this.context.setTransform(across / width, 0, 0, down / height, 0, 0);
    this.request();
  }

  request() {
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        if (this.width) this.draw(this.context, this.width, this.height);
      });
    }
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.unlisten();
  }
}

export const FONT = '12px system-ui, sans-serif';

/** A thin line that lies on pixels. */
export function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(Math.round(x0) + 0.5, Math.round(y0) + 0.5);
  context.lineTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  context.stroke();
}

/** Where nothing is known. */
export function hatch(context, x0, y0, x1, y1) {
  context.save();
  context.beginPath();
  context.rect(x0, y0, Math.max(2, x1 - x0), y1 - y0);
  context.clip();
  context.fillStyle = colour('--hatch');
  context.fillRect(x0, y0, Math.max(2, x1 - x0), y1 - y0);
  context.strokeStyle = colour('--line');
  for (let x = x0 - (y1 - y0); x < x1; x += 7) line(context, x, y1, x + (y1 - y0), y0);
  context.restore();
}
