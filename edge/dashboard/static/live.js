// What the server tells as it happens. A hidden tab listens to nothing, so the node need not publish for it.

const SILENT_MS = 25000; // two beats and a half

const listeners = new Map();
let stream = null;
let query = '';
let heardMs = 0;
let lostMs = null;
let retryTimer = null;
let retryMs = 1000;

/** Call `action(data)` for each message of a kind; returns how to stop that. `link` is told `{connected, since}`. */
export function on(kind, action) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(action);
  return () => listeners.get(kind).delete(action);
}

/** Show a source (or none): its scores, level and cells come from now on. */
export function show(node, source) {
  const wanted = node ? `?node=${encodeURIComponent(node)}&source=${encodeURIComponent(source)}` : '';
  if (wanted !== query || stream === null) {
    query = wanted;
    if (!document.hidden) open();
  }
}

/** Stop listening, as after logging out. */
export function stop() {
  clearTimeout(retryTimer);
  stream?.close();
  stream = null;
}

function tell(kind, data) {
  for (const action of listeners.get(kind) ?? []) action(data);
}

const KINDS = ['hello', 'beat', 'sources', 'scores', 'score', 'level', 'cells', 'health', 'event', 'broker', 'watch'];

function open() {
  stop();
  heardMs = Date.now();
  stream = new EventSource(`api/live${query}`);
  for (const kind of KINDS) {
    stream.addEventListener(kind, (message) => {
      heardMs = Date.now();
      if (kind === 'hello') {
        retryMs = 1000;
        const since = lostMs;
        lostMs = null;
        tell('link', { connected: true, since });
      }
      if (kind !== 'beat') tell(kind, JSON.parse(message.data));
    });
  }
  stream.onerror = lost;
}

function lost() {
  if (lostMs === null) {
    lostMs = Date.now();
    tell('link', { connected: false, since: lostMs });
  }
  stream?.close();
  stream = null;
  clearTimeout(retryTimer);
  // The browser would come back by itself, but not after an answer such as 503, and never slower.
  retryTimer = setTimeout(() => !document.hidden && open(), retryMs);
  retryMs = Math.min(retryMs * 1.6, 10000);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) stop();
  else open();
});
addEventListener('pagehide', stop);
setInterval(() => stream && !document.hidden && Date.now() - heardMs > SILENT_MS && lost(), 5000);
