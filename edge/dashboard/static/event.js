// One event: when, where in frequency, who said so, how it sounds, and what it was.

import { get } from './api.js';
import { Answer, markButtons, snoozeButtons } from './commands.js';
import { h, put, say } from './dom.js';
import { verdictClass, verdictWord } from './eventlist.js';
import { clockSeconds, duration, eventLink, frequencies, hertz, number, score, sourceLink, whole } from './format.js';
import { Heads } from './heads.js';
import { on } from './live.js';
import { bytes, Picture } from './picture.js';

const AROUND_S = 5;

export function eventPage(main, node, source, id) {
  const pill = h('span', { class: 'pill' });
  const summary = h('p', { class: 'summary' });
  const level = new Picture('level', 'What was heard');
  const anomaly = new Picture('anomaly', 'What sounded wrong');
  const notice = h('p', { class: 'notice', role: 'status', hidden: true });
  const sound = h('div', { class: 'sound' });
  const heads = new Heads();
  const headNote = h('p', { class: 'soft' });
  const regions = h('div', { class: 'scroll' });
  const answer = new Answer();
  const verdict = h('div', {});
  const near = h('nav', { class: 'group', 'aria-label': 'Events of this machine' });
  let event = null;
  let marking = null;
  let isOpen = true;

  put(
    main,
    h('div', { class: 'head' }, h('h1', {}, h('a', { href: sourceLink(node, source) }, source), h('small', {}, node)), pill, near),
    summary,
    h('section', { class: 'panel', 'aria-label': 'Pictures' }, h('div', { class: 'pair' }, level.element, anomaly.element), notice, sound),
    h('section', { class: 'panel' }, h('h2', {}, 'What was it?'), verdict, h('div', { class: 'commands' }, snoozeButtons(node, source, answer)), answer.element),
    h(
      'div',
      { class: 'facts' },
      h('section', { class: 'panel' }, h('h2', {}, 'Regions'), regions),
      h('section', { class: 'panel' }, h('h2', {}, 'What contributed'), heads.element, headNote),
    ),
  );

  function show() {
    document.title = `${source}, ${clockSeconds(event.t_start)} · Auscult`;
    pill.className = `pill ${verdictClass(event)}`;
    say(pill, verdictWord(event));
    const length = event.is_open ? `goes on for ${duration(Date.now() / 1000 - event.t_start)}` : duration(event.t_end - event.t_start);
    const parts = [whole(event.t_start), length, `score ${score(event.peak)}`, frequencies(event.regions)];
    if (event.interrupted) parts.push('the node was interrupted: the end is not known');
    else if (event.type !== 'closed' && !event.is_open) parts.push('its end was not heard');
    if (event.lost_s > 0) parts.push(`${number(event.lost_s)} s of sound lost`);
    if (event.clock_synced === false) parts.push('the clock of the node was not set');
    say(summary, parts.filter(Boolean).join(' · '));
    heads.set(event.heads ?? {});
    say(headNote, event.heads ? '' : event.is_open ? 'Comes with the next news of this event.' : 'Not known: the dashboard did not hear the scores of this event.');
    put(regions, regionTable(event));
    put(
      near,
      event.previous && h('a', { class: 'button quiet', id: 'previous', href: eventLink({ ...event, id: event.previous }) }, '← earlier'),
      event.next && h('a', { class: 'button quiet', id: 'next', href: eventLink({ ...event, id: event.next }) }, 'later →'),
    );
    if (marking === null) {
      marking = markButtons(event, answer, (given, note) => {
        event = { ...event, verdict: given, note };
        show();
      });
      put(verdict, marking.element);
    }
    marking.show(event.verdict);
  }

  async function load() {
    const found = await get(`api/event/${node}/${source}/${id}`);
    if (!isOpen) return;
    event = found;
    show();
    await draw();
  }

  async function draw() {
    const { picture, from } = await get(`api/event/${node}/${source}/${id}/picture`);
    if (!isOpen) return;
    const boxes = event.regions.map((region) => ({ ...region, from: event.t_start + region.t0_s, to: event.t_start + region.t1_s }));
    const span = [event.t_start - AROUND_S, Math.min(event.t_end + AROUND_S, event.t_start + 115)];
    const nothing = { band_edges_hz: mel(16), step_s: 1, level_min_db: 0, level_step_db: 1, anomaly_step: 1 };
    const meta = picture ?? nothing;
    const has = { level: picture !== null, anomaly: picture !== null && picture.anomaly !== null };
    level.set(has.level ? bytes(picture.level) : new Uint8Array(), meta, meta.t_start ?? span[0]);
    anomaly.set(has.anomaly ? bytes(picture.anomaly) : new Uint8Array(), meta, meta.t_start ?? span[0]);
    for (const one of [level, anomaly]) one.look(...span);
    level.regions = has.level ? boxes : boxes.map(filled);
    anomaly.regions = has.anomaly ? boxes : boxes.map(filled);
    const words = [];
    if (!has.level && event.is_open) words.push('The picture comes when the event has ended. The boxes are the regions that the node has reported so far.');
    else if (!has.level) words.push('Nobody watched this machine and no clip is kept on this computer, so there is no picture of the sound: the boxes are the regions that the node reported.');
    else if (!has.anomaly) words.push('What was heard is drawn from the clip. What sounded wrong shows the regions that the node reported; the whole map is kept only while somebody watches.');
    notice.hidden = !words.length;
    notice.className = has.level || event.is_open ? 'soft' : 'notice';
    say(notice, words.join(' '));
    if (event.clip_is_here && !sound.firstChild) play(from === 'clip' ? meta.t_start : null);
    else if (event.clip && !event.clip_is_here) put(sound, h('p', { class: 'soft' }, `Clip on the node: ${event.clip}`));
  }

  function play(start) {
    const audio = h('audio', { controls: true, preload: 'metadata', src: `clips/${node}/${encodeURIComponent(event.clip)}` });
    audio.setAttribute('aria-label', 'Sound of the event');
    const follow = () => {
      for (const one of [level, anomaly]) {
        one.playing = start === null ? null : start + audio.currentTime;
        one.canvas.request();
      }
      if (!audio.paused && isOpen) requestAnimationFrame(follow);
    };
    audio.addEventListener('play', follow);
    audio.addEventListener('seeked', follow);
    put(sound, audio);
  }

  const ends = [on('event', (data) => data.id === id && data.key === `${node}/${source}` && load().catch(() => {})), on('hello', () => load().catch(() => {}))];
  return {
    ready: load(),
    close() {
      isOpen = false;
      for (const end of ends) end();
      sound.querySelector('audio')?.pause();
      level.close();
      anomaly.close();
    },
  };
}

function regionTable(event) {
  if (!event.regions.length) return h('p', { class: 'soft' }, 'The node named no region.');
  const rows = [...event.regions].sort((a, b) => (b.score ?? 0) - (a.score ?? 0)).slice(0, 20);
  return h(
    'table',
    {},
    h('thead', {}, h('tr', {}, ['seconds', 'frequency', 'score'].map((words) => h('th', { scope: 'col' }, words)))),
    h(
      'tbody',
      {},
      rows.map((region) =>
        h('tr', {}, h('td', {}, `${number(region.t0_s)} – ${number(region.t1_s)}`), h('td', {}, `${hertz(region.f_lo_hz)} – ${hertz(region.f_hi_hz)}`), h('td', {}, score(region.score))),
      ),
    ),
  );
}

/** A region where nothing else is known, in the colour of its score. */
function filled(region) {
  const value = region.score ?? 1;
  return { ...region, filled: value > 3 ? '#f4a259' : '#c8553d' };
}

/** Edges of bands that are equally wide to an ear, 50 Hz to 14 kHz: the axis when no picture brings its own. */
function mel(bands) {
  const toMel = (hz) => 2595 * Math.log10(1 + hz / 700);
  const [low, high] = [toMel(50), toMel(14000)];
  return Array.from({ length: bands + 1 }, (_, index) => 700 * (10 ** ((low + (index / bands) * (high - low)) / 2595) - 1));
}
