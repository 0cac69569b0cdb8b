// All events: filtered, and as a file for a spreadsheet.

import { get } from './api.js';
import { h, put } from './dom.js';
import { EventList } from './eventlist.js';
import { zone } from './format.js';
import { on } from './live.js';

const FIELDS = ['machine', 'verdict', 'from', 'to', 'peak', 'f_lo', 'f_hi'];

export function eventsPage(main, query) {
  document.title = 'Events · Auscult';
  const input = (name, words, type, more = {}) => h('label', {}, words, h('input', { name, type, ...more }));
  const machine = h('select', { name: 'machine' }, h('option', { value: '' }, 'all'));
  const verdict = h(
    'select',
    { name: 'verdict' },
    [['', 'all'], ['none', 'to judge'], ['real', 'real'], ['false_alarm', 'false alarm']].map(([value, words]) => h('option', { value }, words)),
  );
  const form = h(
    'form',
    { class: 'filter', 'aria-label': 'Filter' },
    h('label', {}, 'Machine', machine),
    h('label', {}, 'Verdict', verdict),
    input('from', 'From', 'datetime-local'),
    input('to', 'To', 'datetime-local'),
    input('peak', 'Score at least', 'number', { min: 0, step: 'any', inputMode: 'decimal' }),
    input('f_lo', 'From Hz', 'number', { min: 0, step: 'any', inputMode: 'numeric' }),
    input('f_hi', 'To Hz', 'number', { min: 0, step: 'any', inputMode: 'numeric' }),
  );
  const csv = h('a', { class: 'button', download: '' }, 'CSV');
  const clear = h('button', { type: 'button', class: 'quiet', onclick: () => (form.reset(), change()) }, 'Clear filter');
  const count = h('p', { class: 'summary', role: 'status' });
  const list = new EventList(true);
  const more = h('button', { type: 'button', hidden: true, onclick: () => load(true) }, 'More');
  put(
    main,
    h('div', { class: 'head' }, h('h1', {}, 'Events'), h('span', { class: 'group' }, clear, csv)),
    form,
    count,
    h('section', { class: 'panel' }, list.element, more),
    h('p', { class: 'soft' }, `Times are those of ${zone}; in the CSV file they are UTC.`),
  );

  let shown = [];
  let turn = 0;
  let timer = 0;

  function asked() {
    const parameters = new URLSearchParams();
    const [node, source] = machine.value.split('/');
    const add = (name, value) => value && parameters.set(name, value);
    add('node', node);
    add('source', source);
    add('verdict', verdict.value);
    for (const [name, field] of [['since', 'from'], ['until', 'to']]) {
      const at = Date.parse(form.elements[field].value) / 1000; // without a zone it is the browser's
      if (!Number.isNaN(at)) parameters.set(name, String(at));
    }
    for (const name of ['peak', 'f_lo', 'f_hi']) add(name, form.elements[name].value);
    return parameters;
  }

  async function load(next = false) {
    turn += 1;
    const mine = turn;
    const parameters = asked();
    csv.href = `api/events.csv?${parameters}`;
    if (next && shown.length) {
      parameters.set('before', String(shown.at(-1).t_start));
      parameters.set('before_id', shown.at(-1).id);
    }
    const found = await get(`api/events?${parameters}`);
    if (mine !== turn) return;
    shown = next ? [...shown, ...found.events] : found.events;
    list.set(shown);
    more.hidden = !found.more;
    const all = shown.length;
    put(count, all ? `${all}${found.more ? ' or more' : ''} ${all === 1 ? 'event' : 'events'}` : 'No event fits the filter.');
  }

  function change() {
    const parameters = new URLSearchParams();
    for (const name of FIELDS) if (form.elements[name].value) parameters.set(name, form.elements[name].value);
    history.replaceState(null, '', `#/events${parameters.size ? `?${parameters}` : ''}`);
    load().catch(() => {});
  }

  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(change, 300);
  });

  async function begin() {
    const { sources } = await get('api/fleet');
    const keys = sources.map((source) => source.key);
    const wanted = query.get('machine') ?? (query.get('source') ? `${query.get('node')}/${query.get('source')}` : '');
    if (wanted && !keys.includes(wanted)) keys.push(wanted);
    machine.append(...keys.sort().map((key) => h('option', { value: key }, key)));
    for (const name of FIELDS) form.elements[name].value = name === 'machine' ? wanted : (query.get(name) ?? '');
    await load();
  }

  const ends = [on('event', () => shown.length <= 50 && load().catch(() => {})), on('hello', () => load().catch(() => {}))];
  return {
    ready: begin(),
    close() {
      turn += 1;
      clearTimeout(timer);
      for (const end of ends) end();
    },
  };
}
