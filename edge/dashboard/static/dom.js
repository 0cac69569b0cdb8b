// Elements without a template language: text is always text, so nothing that a node sends can become markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with properties (`class`, `href`, `onclick`, `aria-label` ...) and children; null and false are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes('-') && name !== 'list') element[name] = value;
    else element.setAttribute(name === 'class' ? 'class' : name, value === true ? '' : value);
  }
  put(element, ...children);
  return element;
}

/** Replace what is in an element. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Set text only when it is another, and in the node that holds it: an unchanged one costs no layout, and none costs garbage. */
export function say(element, text) {
  const node = element.firstChild;
  if (node === null || node !== element.lastChild || node.nodeType !== Node.TEXT_NODE) element.textContent = text;
  else if (node.data !== text) node.data = text;
}

const ICONS = {
  alarm: 'M10 2.5 18.5 17h-17zM10 7.5v4.5M10 14.4v.2',
  offline: 'M10 2.5a7.5 7.5 0 1 0 .01 0zM5 5l10 10',
  check: 'M10 2.5a7.5 7.5 0 1 0 .01 0zM7.8 7.9a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M10 14v.2',
  learning: 'M10 2.5a7.5 7.5 0 1 0 .01 0zM10 5.8V10l2.8 1.8',
  fine: 'M10 2.5a7.5 7.5 0 1 0 .01 0zM6.4 10.2l2.6 2.6 4.6-5.2',
};

/** One of the signs of a machine's need: a shape of its own for each, because colour alone says nothing to many. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}
