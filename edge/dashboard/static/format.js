// How things are written. Times are those of the browser's zone.

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DATE = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export const NEEDS = ['alarm', 'offline', 'check', 'learning', 'fine'];
export const NEED_WORDS = { alarm: 'Alarm', offline: 'Offline', check: 'To check', learning: 'Learning', fine: 'Fine' };
export const VERDICTS = { false_alarm: 'False alarm', real: 'Real' };

/** The name of the browser's time zone. */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const isToday = (date) => date.toDateString() === new Date().toDateString();

/** `14:02`, or `Tue 3 Mar, 14:02` of another day; seconds since 1970. */
export function moment(seconds, withSeconds = false) {
  const date = new Date(seconds * 1000);
  const time = (withSeconds ? TIME : SHORT).format(date);
  return isToday(date) ? time : `${DATE.format(date)}, ${time}`;
}

export const clock = (seconds) => SHORT.format(new Date(seconds * 1000));
export const clockSeconds = (seconds) => TIME.format(new Date(seconds * 1000));
export const day = (seconds) => DATE.format(new Date(seconds * 1000));
export const whole = (seconds) => WHOLE.format(new Date(seconds * 1000));

/** `8 s`, `3 min`, `2 h 5 min`, `4 days`. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

/** `340 Hz`, `2.1 kHz`. */
export function hertz(value) {
  if (value < 1000) return `${Math.round(value)} Hz`;
  return `${value < 10000 ? (value / 1000).toFixed(1) : Math.round(value / 1000)} kHz`;
}

/** A score with as many digits as matter. */
export function score(value) {
  if (value === null || value === undefined) return '–';
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : String(Math.round(value));
}

export const number = (value, digits = 1) => (value === null || value === undefined ? '–' : value.toFixed(digits));

/** The frequencies of an event's regions: from the lowest to the highest of the strongest ones. */
export function frequencies(regions) {
  if (!regions.length) return '';
  const strongest = regions.reduce((best, region) => ((region.score ?? 0) > (best.score ?? 0) ? region : best));
  return `${hertz(strongest.f_lo_hz)} – ${hertz(strongest.f_hi_hz)}`;
}

/** The link of an event. */
export const eventLink = (event) => `#/event/${event.node}/${event.source}/${event.id}`;
export const sourceLink = (node, source) => `#/source/${node}/${source}`;
