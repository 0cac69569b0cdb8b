// The password, when the page wants one.

import { ApiError, logIn } from './api.js';
import { h, put, say } from './dom.js';

export function loginPage(main, onDone) {
  const password = h('input', { type: 'password', id: 'password', name: 'password', autocomplete: 'current-password', required: true });
  const problem = h('p', { class: 'answer bad', role: 'alert' });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Log in');
  const form = h('form', { class: 'login panel' }, h('h1', {}, 'Auscult'), h('label', { htmlFor: 'password' }, 'Password'), password, button, problem);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await logIn(password.value);
      onDone();
    } catch (error) {
      say(problem, error instanceof ApiError ? sentence(error.message) : String(error));
      password.select();
    } finally {
      button.disabled = false;
    }
  });
  put(main, form);
  password.focus();
  return { ready: Promise.resolve(), close() {} };
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
