// Buttons that give commands to a node, and its answer in words.

import { ApiError, command } from './api.js';
import { h, put, say } from './dom.js';
import { moment, number, VERDICTS } from './format.js';

/** A line that says what became of the last command. */
export class Answer {
  constructor() {
    this.element = h('p', { class: 'answer', role: 'status' });
  }

  tell(text, kind = '') {
    this.element.className = `answer ${kind}`;
    say(this.element, text);
  }
}

async function give(answer, buttons, node, verb, fields, words) {
  for (const button of buttons) button.disabled = true;
  answer.tell(`Asking ${node} …`);
  try {
    const told = await command(node, verb, fields);
    answer.tell(words(told) + (told.warning ? ` ${told.warning}` : ''), 'good');
    return told;
  } catch (error) {
    answer.tell(error instanceof ApiError ? error.message : String(error), 'bad');
    return null;
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

const SNOOZES = [[15, '15 min'], [60, '1 h'], [480, '8 h'], [1440, '1 day']];

/** Snooze a source. */
export function snoozeButtons(node, source, answer) {
  const choice = h('select', { 'aria-label': 'How long to snooze' }, SNOOZES.map(([minutes, words]) => h('option', { value: minutes }, words)));
  choice.value = '60';
  const buttons = [];
  const snooze = (minutes) =>
    give(answer, buttons, node, 'snooze', { source, minutes }, (told) =>
      told.snoozed_until ? `No events until ${moment(Date.parse(told.snoozed_until) / 1000)}; scores go on.` : 'The snooze is over.',
    );
  buttons.push(
    h('button', { type: 'button', class: 'snooze', onclick: () => snooze(Number(choice.value)) }, 'Snooze'),
    h('button', { type: 'button', class: 'quiet', onclick: () => snooze(0) }, 'End snooze'),
  );
  return h('span', { class: 'group' }, buttons[0], choice, buttons[1]);
}

/** Put the threshold where the last week's sound asks for it. */
export function recalibrateButtons(node, source, answer) {
  const buttons = [];
  const ask = (fields, question) => {
    if (confirm(question)) give(answer, buttons, node, 'recalibrate-threshold', { source, ...fields }, told);
  };
  const told = (found) => {
    const parts = [`Threshold: ${number(found.threshold_factor_before, 2)} → ${number(found.threshold_factor, 2)} times the bundle's own.`];
    if (found.hours_used !== null) parts.push(`${number(found.hours_used)} h of sound used.`);
    if (found.note) parts.push(found.note);
    return parts.join(' ');
  };
  buttons.push(
    h('button', { type: 'button', onclick: () => ask({}, `Set the threshold of ${source} from the sound of the last week?`) }, 'Recalibrate threshold'),
    h('button', { type: 'button', class: 'quiet', onclick: () => ask({ reset: true }, `Go back to the bundle's own threshold of ${source}?`) }, 'Reset'),
  );
  return h('span', { class: 'group' }, buttons);
}

/** Say what an event was. */
export function markButtons(event, answer, onMarked) {
  const note = h('textarea', { rows: 2, maxLength: 500, value: event.note ?? '', placeholder: 'What did you find at the machine?', id: 'note' });
  const buttons = [];
  const mark = async (verdict) => {
    const fields = { event: event.id, verdict, note: note.value };
    const told = await give(answer, buttons, event.node, 'mark', fields, (found) => `Kept on ${event.node} as “${VERDICTS[found.verdict]}”.`);
    if (told) onMarked(verdict, note.value);
  };
  buttons.push(
    h('button', { type: 'button', class: 'real', onclick: () => mark('real') }, 'Real fault'),
    h('button', { type: 'button', class: 'false-alarm', onclick: () => mark('false_alarm') }, 'False alarm'),
  );
  const show = (verdict) => buttons.forEach((button, index) => button.setAttribute('aria-pressed', String(verdict === ['real', 'false_alarm'][index])));
  show(event.verdict);
  const box = h('div', { class: 'mark' });
  put(box, h('label', { htmlFor: 'note' }, 'Note'), note, h('span', { class: 'group' }, buttons));
  return { element: box, show, note };
}
