// The page as a whole: which part is shown, the banner, the keys.

import { ApiError, post, session, whenLoggedOut } from './api.js';
import { h, put } from './dom.js';
import { eventPage } from './event.js';
import { eventsPage } from './events.js';
import { fleetPage } from './fleet.js';
import { clockSeconds, duration } from './format.js';
import { on, show, stop } from './live.js';
import { loginPage } from './login.js';
import { sourcePage } from './source.js';
import { themeButton } from './theme.js';

const main = document.getElementById('main');
const banner = document.getElementById('banner');
const logout = document.getElementById('logout');
const dialog = document.getElementById('keys');
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

let page = null;
let linkLost = null;
let brokerLost = null;
let wasBrokerLost = false;
let note = '';
let noteTimer = 0;

function route() {
  const [path, query = ''] = location.hash.replace(/^#/, '').split('?');
  const [kind = '', ...names] = path.split('/').filter(Boolean);
  page?.close();
  main.className = `page-${kind || 'fleet'}`;
  document.getElementById('to-machines').toggleAttribute('aria-current', kind === '' || kind === 'source');
  document.getElementById('to-events').toggleAttribute('aria-current', kind === 'events' || kind === 'event');
  if (kind === 'source' && names.length === 2 && names.every((name) => NAME.test(name))) page = sourcePage(main, ...names);
  else if (kind === 'event' && names.length === 3 && names.every((name) => NAME.test(name))) page = eventPage(main, ...names);
  else if (kind === 'events') page = eventsPage(main, new URLSearchParams(query));
  else page = fleetPage(main);
  const mine = page;
  show(...(page.show ?? []));
  page.ready.catch((error) => {
    if (mine === page && error instanceof ApiError && error.status === 404) notFound(error.message, names.slice(0, 2).join('/'));
  });
  scrollTo(0, 0);
}

/** A machine may be known in a moment: a server that was just started has not heard of all of them. */
function notFound(message, key) {
  page.close();
  const end = on('sources', ({ changed }) => changed.some((source) => source.key === key) && route());
  page = { close: end };
  put(main, h('h1', {}, 'Not found'), h('p', {}, `${message}. `, h('a', { href: '#/' }, 'All machines')));
}

function showBanner() {
  let text = '';
  if (linkLost !== null) text = `No connection to the dashboard since ${clockSeconds(linkLost / 1000)}. What you see is from then; trying again …`;
  else if (brokerLost) text = `The dashboard has no connection to the broker since ${clockSeconds(brokerLost.since)} (${brokerLost.reason ?? brokerLost.state}). What you see is from then.`;
  else text = note;
  banner.className = linkLost !== null || brokerLost ? 'bad' : 'good';
  banner.hidden = !text;
  if (banner.textContent !== text) banner.textContent = text;
  document.body.classList.toggle('stale', linkLost !== null || brokerLost !== null);
}

function tellBack(text) {
  note = text;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => {
    note = '';
    showBanner();
  }, 15000);
}

function broker(state) {
  const isLost = state.state !== 'connected';
  if (isLost) brokerLost = { ...state, since: brokerLost?.since ?? state.since };
  else {
    if (wasBrokerLost && brokerLost) tellBack(`The broker is back; nothing was heard for ${duration(Math.max(0, state.since - brokerLost.since))}.`);
    brokerLost = null;
  }
  wasBrokerLost = isLost;
  showBanner();
}

on('link', ({ connected, since }) => {
  if (connected && since !== null) tellBack(`Connected again after ${duration((Date.now() - since) / 1000)}.`);
  linkLost = connected ? null : since;
  showBanner();
});
on('hello', (data) => broker(data.broker));
on('broker', broker);

async function begin() {
  try {
    const found = await session();
    logout.hidden = !found.wants_password || !found.is_known;
    if (!found.is_known) {
      askPassword();
      return;
    }
    route();
  } catch {
    linkLost ??= Date.now();
    showBanner();
    setTimeout(begin, 3000);
    return;
  }
  linkLost = null;
  showBanner();
}

function askPassword() {
  stop();
  page?.close();
  document.title = 'Auscult';
  logout.hidden = true;
  page = loginPage(main, begin);
}

whenLoggedOut(() => {
  if (!main.querySelector('.login')) askPassword();
});
logout.addEventListener('click', async () => {
  await post('api/logout').catch(() => {});
  askPassword();
});
addEventListener('hashchange', () => main.querySelector('.login') || route());
document.getElementById('skip').addEventListener('click', () => main.focus());
document.getElementById('help').addEventListener('click', () => dialog.showModal());
themeButton(document.getElementById('theme'));

const GO = { m: '#/', e: '#/events' };
document.addEventListener('keydown', (event) => {
  const isTyping = event.target.closest('input, textarea, select');
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  if (GO[event.key]) location.hash = GO[event.key];
  else if (event.key === '?') dialog.showModal();
  else if (event.key === 'Escape' && location.hash.length > 2) history.back();
  else if (event.key === '[') document.getElementById('previous')?.click();
  else if (event.key === ']') document.getElementById('next')?.click();
  else if (event.key === 'ArrowDown' && (event.target === document.body || event.target === main)) {
    const first = main.querySelector('.machines a, .events a');
    if (first) {
      event.preventDefault();
      first.focus();
    }
  }
});

begin();
