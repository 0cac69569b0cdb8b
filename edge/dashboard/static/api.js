// Requests to the server. The token goes with every command; a page of another origin cannot read it.

let token = '';
let onLogin = () => {};

/** A request that the server did not grant; `status` is 0 when it did not answer. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What to do when the session has ended. */
export function whenLoggedOut(action) {
  onLogin = action;
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch {
    throw new ApiError(0, 'The dashboard does not answer.');
  }
  let data = {};
  try {
    data = await response.json();
  } catch {
    /* an answer without a body */
  }
  if (response.status === 401) onLogin();
  if (!response.ok) throw new ApiError(response.status, data.error || `The dashboard answered ${response.status}.`);
  return data;
}

/** Read something. */
export const get = (path, signal) => ask(path, { signal });

/** Change something. */
export const post = (path, data = {}) =>
  ask(path, { method: 'POST', body: JSON.stringify(data), headers: { 'content-type': 'application/json', 'x-auscult-token': token } });

/** Who we are to the server. */
export async function session() {
  const found = await get('api/session');
  token = found.token;
  return found;
}

/** Log in; throws ApiError for a wrong password. */
export async function logIn(password) {
  token = (await post('api/login', { password })).token;
}

/** Give a command to a node; the node's answer, or ApiError. */
export async function command(node, verb, fields) {
  const answer = await post(`api/command/${node}/${verb}`, fields);
  if (answer.status !== 'ok') throw new ApiError(200, answer.error || 'The node refused it.');
  return answer;
}
