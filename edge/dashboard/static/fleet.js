// All machines: the one that needs a person most comes first, with the reason.

import { get } from './api.js';
import { Spark } from './chart.js';
import { h, icon, put, say } from './dom.js';
import { duration, moment, NEED_WORDS, NEEDS, score, sourceLink } from './format.js';
import { on } from './live.js';

const DAY_S = 86400;
const SPARKS_MS = 300000;

export function fleetPage(main) {
  const title = h('h1', {}, 'Machines');
  const summary = h('p', { class: 'summary', role: 'status' });
  const list = h('ul', { class: 'machines' });
  const rows = new Map();
  let sources = new Map();
  let ahead = 0; // of the server's clock before ours, seconds
  put(main, title, summary, list);

  const now = () => Date.now() / 1000 + ahead;

  async function load() {
    const data = await get('api/fleet');
    ahead = data.now - Date.now() / 1000;
    sources = new Map(data.sources.map((source) => [source.key, source]));
    arrange();
    showScores(data.scores);
    for (const [key, row] of rows) {
      const told = (data.sparks[key] ?? []).filter(([t]) => t >= data.now - DAY_S);
      row.spark.set({ since: data.now - DAY_S, until: data.now, step: data.spark_step_s, rows: told });
    }
    summarise();
  }

  function arrange() {
    for (const [key, row] of rows) {
      if (!sources.has(key)) {
        row.close();
        rows.delete(key);
      }
    }
    for (const [key, source] of sources) {
      if (!rows.has(key)) rows.set(key, new Row(source));
      rows.get(key).set(source, now());
    }
    const order = [...sources.values()].sort(
      (a, b) =>
        NEEDS.indexOf(a.need) - NEEDS.indexOf(b.need) ||
        (b.peak ?? 0) - (a.peak ?? 0) ||
        (a.since ?? 0) - (b.since ?? 0) ||
        (a.key < b.key ? -1 : 1),
    );
    const wanted = order.map((source) => rows.get(source.key).element);
    // Only what stands elsewhere is moved: a row that has the focus keeps it.
    wanted.forEach((element, index) => list.children[index] !== element && list.insertBefore(element, list.children[index] ?? null));
    while (list.children.length > wanted.length) list.lastChild.remove();
    summarise();
  }

  function summarise() {
    const counts = Object.fromEntries(NEEDS.map((need) => [need, 0]));
    for (const source of sources.values()) counts[source.need] += 1;
    const all = sources.size;
    const urgent = counts.alarm + counts.offline + counts.check;
    const words = NEEDS.filter((need) => counts[need]).map((need) => `${counts[need]} ${NEED_WORDS[need].toLowerCase()}`);
    if (!all) {
      say(title, 'No machines yet');
      say(summary, 'A node shows up here as soon as it publishes to this broker: `auscult run`.');
    } else {
      say(title, urgent === 0 ? (all === 1 ? 'The machine is fine' : `All ${all} machines are fine`) : urgent === 1 ? '1 machine needs you' : `${urgent} machines need you`);
      say(summary, words.join(' · '));
    }
    document.title = `${counts.alarm ? `(${counts.alarm}) ` : ''}Auscult`;
  }

  function showScores(scores) {
    for (const [key, [, value]] of Object.entries(scores)) rows.get(key)?.score(value);
  }

  list.addEventListener('keydown', (event) => {
    const move = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    const next = move && event.target.closest('li')?.[move]?.querySelector('a');
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });

  const ends = [
    on('hello', () => load().catch(() => {})),
    on('sources', ({ changed, gone }) => {
      for (const key of gone) sources.delete(key);
      for (const source of changed) sources.set(source.key, source);
      arrange();
    }),
    on('scores', ({ scores }) => showScores(scores)),
  ];
  const again = setInterval(() => !document.hidden && load().catch(() => {}), SPARKS_MS);
  const aging = setInterval(() => rows.forEach((row) => row.age(now())), 10000);

  return {
    ready: load(),
    close() {
      for (const end of ends) end();
      clearInterval(again);
      clearInterval(aging);
      for (const row of rows.values()) row.close();
    },
  };
}

class Row {
  constructor(source) {
    this.need = h('span', { class: 'need' });
    this.reason = h('span', { class: 'reason' });
    this.value = h('b', {}, '–');
    this.fill = h('i');
    this.spark = new Spark();
    this.link = h(
      'a',
      { href: sourceLink(source.node, source.source), 'data-key': source.key },
      this.need,
      h('span', { class: 'name' }, h('strong', {}, source.source), h('small', {}, source.node)),
      this.reason,
      h('span', { class: 'score' }, h('small', {}, 'score '), this.value, h('span', { class: 'meter', 'aria-hidden': 'true' }, this.fill)),
      h('span', { class: 'day' }, this.spark.element, h('small', {}, '24 h')),
    );
    this.element = h('li', {}, this.link);
  }

  set(source, now) {
    if (this.source?.need !== source.need) {
      this.link.className = `machine ${source.need}`;
      put(this.need, icon(source.need), NEED_WORDS[source.need]);
    }
    this.source = source;
    this.age(now);
  }

  age(now) {
    const { reason, since, snoozed_until: snoozed, need, unmarked } = this.source;
    const parts = [];
    if (need === 'alarm' && since) parts.push(`for ${duration(now - since)}`);
    if (reason) parts.push(reason);
    if (need === 'alarm' && unmarked > 1) parts.push(`${unmarked} events to judge`);
    if (since && need !== 'alarm') parts.push(`since ${moment(since)}`);
    if (snoozed) parts.push(`snoozed until ${moment(snoozed)}`);
    say(this.reason, parts.join(' · '));
  }

  score(value) {
    say(this.value, score(value));
    const isHigh = value !== null && value > 1;
    this.value.className = isHigh ? 'high' : '';
    this.fill.className = isHigh ? 'high' : '';
    // The threshold is the middle of the bar.
    this.fill.style.transform = `scaleX(${Math.min(1, (value ?? 0) / 2)})`;
  }

  close() {
    this.spark.close();
    this.element.remove();
  }
}
