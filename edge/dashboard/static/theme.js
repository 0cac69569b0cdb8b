// Light, dark, or as the system has it. Canvases read their colours from the style sheet, so they are told.

const CHOICES = ['auto', 'light', 'dark'];
const WORDS = { auto: 'Auto', light: 'Light', dark: 'Dark' };
const actions = new Set();
let colours = null;

function chosen() {
  try {
    const found = localStorage.getItem('theme');
    return CHOICES.includes(found) ? found : 'auto';
  } catch {
    return 'auto'; // storage is switched off
  }
}

function apply(choice) {
  if (choice === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  colours = null;
  for (const action of actions) action();
}

/** Call an action when the colours change; returns how to stop that. */
export function onTheme(action) {
  actions.add(action);
  return () => actions.delete(action);
}

/** A colour of the style sheet, such as `--ink`. */
export function colour(name) {
  if (colours === null) colours = { style: getComputedStyle(document.documentElement), known: new Map() };
  if (!colours.known.has(name)) colours.known.set(name, colours.style.getPropertyValue(name).trim());
  return colours.known.get(name);
}

/** Make a button go through the choices. */
export function themeButton(button) {
  const show = () => {
    button.textContent = WORDS[chosen()];
    button.setAttribute('aria-label', `Colours: ${WORDS[chosen()]}`);
  };
  button.addEventListener('click', () => {
    const next = CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length];
    try {
      localStorage.setItem('theme', next);
    } catch {
      /* then it lasts as long as the page */
    }
    apply(next);
    show();
  });
  apply(chosen());
  show();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => apply(chosen()));
}
