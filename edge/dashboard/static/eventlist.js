// Events as a list of links.

import { h, put } from './dom.js';
import { duration, eventLink, frequencies, moment, score, VERDICTS } from './format.js';

/** One event in words. */
export function verdictWord(event) {
  if (event.is_open) return 'open';
  return VERDICTS[event.verdict] ?? 'to judge';
}

export function verdictClass(event) {
  if (event.is_open) return 'alarm';
  return event.verdict === 'real' ? 'real' : event.verdict === 'false_alarm' ? 'fine' : 'check';
}

/** A list; with `named`, each with its machine. `set(events)` changes it, and leaves the focus where it was. */
export class EventList {
  constructor(named = false) {
    this.named = named;
    this.known = '';
    this.element = h('ul', { class: 'events' });
    this.element.addEventListener('keydown', (event) => {
      const move = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
      const next = move && event.target.closest('li')?.[move]?.querySelector('a');
      if (next) {
        event.preventDefault();
        next.focus();
      }
    });
  }

  set(events) {
    const fresh = JSON.stringify(events);
    if (fresh === this.known) return;
    this.known = fresh;
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.event : null;
    put(this.element, events.map((event) => item(event, this.named)));
    if (focused) this.element.querySelector(`[data-event="${CSS.escape(focused)}"]`)?.focus();
  }
}

function item(event, named) {
  return h(
    'li',
    {},
    h(
      'a',
      { href: eventLink(event), 'data-event': event.id },
      h('span', { class: `pill small ${verdictClass(event)}` }, verdictWord(event)),
      h('span', { class: 'when' }, moment(event.t_start, true)),
      named && h('span', { class: 'name' }, h('strong', {}, event.source), h('small', {}, event.node)),
      h('span', { class: 'what' }, [event.is_open ? 'goes on' : duration(event.t_end - event.t_start), frequencies(event.regions)].filter(Boolean).join(' · ')),
      h('span', { class: 'peak' }, h('small', {}, 'score '), h('b', {}, score(event.peak))),
      event.note && h('span', { class: 'note' }, event.note),
    ),
  );
}
