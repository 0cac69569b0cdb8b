// One machine: live, its history, its health and its calibration.

import { get } from './api.js';
import { Chart } from './chart.js';
import { Answer, recalibrateButtons, snoozeButtons } from './commands.js';
import { h, icon, put, say } from './dom.js';
import { duration, eventLink, moment, NEED_WORDS, number, score, whole } from './format.js';
import { EventList } from './eventlist.js';
import { Heads } from './heads.js';
import { on } from './live.js';
import { LiveCells } from './picture.js';

const LIVE_S = 300;
const SPANS = { day: 'Day', week: 'Week', month: 'Month' };

export function sourcePage(main, node, source) {
  const key = `${node}/${source}`;
  const need = h('span', { class: 'pill' });
  const reason = h('p', { class: 'summary', role: 'status' });
  const value = h('b', { class: 'large' }, '–');
  const level = h('span', {}, '');
  const notice = h('p', { class: 'notice', role: 'status', hidden: true });
  const answer = new Answer();
  const heads = new Heads();
  const cells = new LiveCells();
  const recent = new Chart({ label: 'Scores of the last five minutes', seconds: true });
  const past = new Chart({ label: 'Scores of the day', onEvent: (event) => (location.hash = eventLink({ node, source, id: event.id })) });
  const facts = h('div', { class: 'facts' });
  const events = new EventList();
  const none = h('p', { class: 'soft', hidden: true }, 'No events.');
  let span = 'day';
  let live = [];
  let problem = '';
  let isOpen = true;

  const tabs = Object.entries(SPANS).map(([name, words]) =>
    h('button', { type: 'button', 'aria-pressed': String(name === span), onclick: () => choose(name) }, words),
  );
  put(
    main,
    h('div', { class: 'head' }, h('h1', {}, source, h('small', {}, node)), need),
    reason,
    h('section', { class: 'panel', 'aria-label': 'Live' }, h('div', { class: 'pair' }, cells.level.element, cells.anomaly.element), notice),
    h(
      'section',
      { class: 'panel live' },
      h('div', {}, h('h2', {}, 'Score'), h('p', { class: 'now' }, value, h('span', { class: 'soft' }, 'alarm at 1.00'), level), recent.element),
      h('div', {}, h('h2', {}, 'What contributes'), heads.element),
    ),
    h('section', { class: 'panel' }, h('div', { class: 'head' }, h('h2', {}, 'History'), h('div', { class: 'tabs', role: 'group', 'aria-label': 'Span' }, tabs)), past.element),
    h('section', { class: 'panel' }, h('div', { class: 'head' }, h('h2', {}, 'Events'), h('a', { href: `#/events?node=${node}&source=${source}` }, 'all')), events.element, none),
    h('section', { class: 'panel' }, h('h2', {}, 'Commands'), h('div', { class: 'commands' }, snoozeButtons(node, source, answer), recalibrateButtons(node, source, answer)), answer.element),
    facts,
  );

  function showSource(found) {
    document.title = `${found.source} · Auscult`;
    need.className = `pill ${found.need}`;
    put(need, icon(found.need), NEED_WORDS[found.need]);
    const parts = [];
    if (found.need === 'alarm' && found.event) parts.push(h('a', { href: eventLink({ node, source, id: found.event }) }, 'open event'));
    if (found.reason) parts.push(found.reason);
    if (found.since) parts.push(`since ${moment(found.since)}`);
    if (found.snoozed_until) parts.push(`snoozed until ${moment(found.snoozed_until)}`);
    put(reason, parts.flatMap((part, index) => (index ? [' · ', part] : [part])));
  }

  function showScore(t, found, parts) {
    say(value, score(found));
    value.className = found !== null && found > 1 ? 'large high' : 'large';
    if (parts) heads.set(parts);
    if (found !== null) live.push([t, found, found, 0]);
    const until = Math.max(t, live.at(-1)?.[0] ?? t);
    live = live.filter((row) => row[0] > until - LIVE_S);
    recent.set({ since: until - LIVE_S, until, step: 0.5, rows: live });
  }

  async function load() {
    const found = await get(`api/source/${node}/${source}`);
    if (!isOpen) return;
    showSource(found.source);
    live = found.recent.filter((row) => row[1] !== null).map(([t, one]) => [t, one, one, 0]);
    if (found.scores) showScore(found.scores[0], found.scores[1], found.heads);
    put(facts, calibration(found), health(found));
    if (found.health && found.node && found.node.commands === null) {
      problem = 'This node takes no commands (commands.enabled), so there is no live picture: it publishes one only when asked.';
    }
    showNotice();
  }

  async function loadPast() {
    const [scores, list] = await Promise.all([get(`api/source/${node}/${source}/scores?span=${span}`), get(`api/events?node=${node}&source=${source}`)]);
    if (!isOpen) return;
    past.label = `Scores of the ${span}`;
    past.set({ since: scores.since, until: scores.now, step: scores.step_s, rows: scores.rows, gaps: scores.gaps, events: scores.events });
    events.set(list.events.slice(0, 6));
    none.hidden = list.events.length > 0;
  }

  function choose(name) {
    span = name;
    tabs.forEach((tab, index) => tab.setAttribute('aria-pressed', String(Object.keys(SPANS)[index] === name)));
    loadPast().catch(() => {});
  }

  function showNotice() {
    const text = problem || (cells.isEmpty ? 'Waiting for the live picture …' : '');
    notice.hidden = !text;
    say(notice, text);
  }

  const mine = (action) => (data) => data.key === key && action(data);
  const ends = [
    on('hello', () => Promise.all([load(), loadPast()]).catch(() => {})),
    on('sources', ({ changed }) => changed.filter((found) => found.key === key).forEach(showSource)),
    on('score', mine((data) => showScore(data.t, data.score, data.heads))),
    on('level', mine((data) => say(level, data.dbfs === null ? 'no sound' : `${data.dbfs.toFixed(0)} dBFS`))),
    on('cells', mine((data) => {
      cells.add(data);
      problem = '';
      showNotice();
    })),
    on('watch', mine((data) => {
      problem = data.problem ? `No live picture: ${data.problem}` : '';
      showNotice();
    })),
    on('event', mine(() => loadPast().catch(() => {}))),
    on('health', mine(() => load().catch(() => {}))),
  ];
  const again = setInterval(() => !document.hidden && loadPast().catch(() => {}), 60000);

  return {
    show: [node, source],
    ready: Promise.all([load(), loadPast()]),
    close() {
      isOpen = false;
      for (const end of ends) end();
      clearInterval(again);
      for (const part of [cells, recent, past]) part.close();
    },
  };
}

function list(title, rows) {
  const shown = rows.filter(([, text]) => text !== null && text !== undefined && text !== '');
  return h('section', { class: 'panel' }, h('h2', {}, title), h('dl', {}, shown.map(([name, text]) => [h('dt', {}, name), h('dd', {}, text)])));
}

function calibration({ info, learning, version }) {
  if (!info) return null;
  if (!info.bundle) {
    return list('Calibration', [
      ['bundle', 'none yet'],
      ['learning', learning?.state],
      ['alarms', typeof learning?.first_in_s === 'number' ? `in about ${duration(learning.first_in_s)} of sound` : null],
      ['Auscult', version],
    ]);
  }
  const { threshold } = info;
  const made = Date.parse(info.calibrated_at);
  const promise = threshold.false_alarms_per_week === null ? null : `${number(threshold.false_alarms_per_week, 1)} false alarms a week`;
  const limit = threshold.supported_false_alarms_per_week;
  return list('Calibration', [
    ['made', Number.isNaN(made) ? info.calibrated_at : whole(made / 1000)],
    ['promise', promise],
    ['supported by the recordings', limit === null ? null : `${number(limit, limit < 10 ? 1 : 0)} a week`],
    ['', threshold.note],
    ['threshold moved', info.threshold_factor === 1 ? 'no' : `${number(info.threshold_factor, 2)} times the bundle's own`],
    ['detector', `${info.detector}, ${info.backbone}`],
    ['bundle', info.bundle.slice(0, 19)],
    ['learning', learning ? `${learning.state}${learning.learned_s ? `, ${duration(learning.learned_s)} learned` : ''}` : null],
    ['learned version', learning?.version ? String(learning.version) : null],
    ['Auscult', version],
  ]);
}

function health({ info, health: own, node }) {
  if (!own || !node) return null;
  const yes = (value, good, bad) => (value === null ? null : value ? good : bad);
  return list('Health', [
    ['device', info?.device],
    ['sample rate', own.rate_hz === null ? null : `${own.rate_hz} Hz${own.measured_rate_hz ? `, measured ${Math.round(own.measured_rate_hz)}` : ''}`],
    ['loudness', own.dbfs === null ? null : `${number(own.dbfs)} dBFS`],
    ['lost', `${number(own.lost_s)} s, of these ${number(own.shed_s)} s for want of time`],
    ['overruns', String(own.xruns)],
    ['behind', own.lag_s === null ? null : `${number(own.lag_s)} s`],
    ['warnings', own.warnings.join('; ')],
    ['inference', node.inference_p50_ms === null ? null : `${number(node.inference_p50_ms)} ms, 95 % below ${number(node.inference_p95_ms)} ms`],
    ['memory', node.rss_mb === null ? null : `${number(node.rss_mb, 0)} MB`],
    ['temperature', node.temperature_c === null ? null : `${number(node.temperature_c, 0)} °C`],
    ['processor', yes(node.throttled, 'slowed down', 'full speed')],
    ['clock', yes(node.clock_synced, 'synchronised', 'not synchronised')],
    ['disk free', node.disk_free_fraction === null ? null : `${Math.round(100 * node.disk_free_fraction)} %`],
    ['events that wait', String(node.outbox.depth)],
    ['running for', node.uptime_s === null ? null : duration(node.uptime_s)],
  ]);
}
