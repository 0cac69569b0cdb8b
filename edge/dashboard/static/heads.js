// What each head contributes to a score, as bars.

import { h, put, say } from './dom.js';
import { score } from './format.js';

const FEATURES = { cnn14: 'network', logmel: 'spectrum', excess: 'what stands out', level: 'loudness' };
const KINDS = { moment: 'in a moment', sustained: 'all along', largest: 'at most' };
const WHOLE = { level: 'loudness', power: 'power', profile: 'average spectrum', dynamics: 'fluctuation' };

/** A name in words; one that is not known as it is. */
export function headWords(name) {
  const [feature, kind] = name.split('_');
  if (WHOLE[name]) return WHOLE[name];
  return FEATURES[feature] && KINDS[kind] ? `${FEATURES[feature]}, ${KINDS[kind]}` : name.replaceAll('_', ' ');
}

export class Heads {
  constructor() {
    this.element = h('ul', { class: 'heads' });
    this.rows = new Map();
  }

  set(heads) {
    const names = Object.keys(heads ?? {});
    if (names.join() !== [...this.rows.keys()].join()) {
      this.rows = new Map(names.map((name) => [name, { value: h('b'), fill: h('i') }]));
      put(
        this.element,
        names.map((name) => {
          const { value, fill } = this.rows.get(name);
          return h('li', { title: name }, h('span', {}, headWords(name)), h('span', { class: 'meter', 'aria-hidden': 'true' }, fill), value);
        }),
      );
    }
    const most = Math.max(1, ...Object.values(heads ?? {}).map((value) => value ?? 0));
    for (const [name, { value, fill }] of this.rows) {
      say(value, score(heads[name]));
      fill.style.transform = `scaleX(${Math.max(0, Math.min(1, (heads[name] ?? 0) / most))})`;
    }
  }
}
