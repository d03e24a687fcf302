// Keys: what carries data-keys answers to them. Letters alone count only outside of fields, and can be turned off.
const OFF = 'keys-off';
const WAIT = 1200;
const dialog = document.getElementById('keys');
const targets = () => [...document.querySelectorAll('[data-keys]')];
const isOff = () => localStorage.getItem(OFF) === 'yes';
const isField = e => e instanceof HTMLElement
  && (e.isContentEditable || e.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=submit])'));
let typed = [];
let last = 0;

function answer(element) {
  if (element.matches('h2, h3')) {
    element.scrollIntoView({block: 'start'});
    element.focus();
    const link = element.closest('section')?.querySelector('a, button, summary');
    if (element.dataset.keys === 'g r') (element.closest('section').querySelector('a[href$="/trends"]') ?? link)?.focus({preventScroll: true});
  } else if (element.matches('input[type=checkbox]')) {
    element.click();
    element.focus();
  } else if (element.matches('input, textarea')) {
    element.focus();
    element.select();
  } else {
    element.click();
  }
}

// Arrows, j and k walk along a list.
function walk(step) {
  const list = document.querySelector('[data-walk]');
  if (!list) return false;
  const links = [...list.querySelectorAll('li a')];
  const at = links.indexOf(document.activeElement);
  const next = links[at + step];
  if (next) next.focus();
  return links.length > 0;
}

document.addEventListener('keydown', event => {
  if (event.isComposing) return;
  const form = document.activeElement?.closest('form');
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    const sign = (form ?? document).querySelector('[data-sign]') ?? document.querySelector('[data-sign]');
    if (sign) {
      event.preventDefault();
      sign.click();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || dialog?.open) return;
  if (event.key === 'Escape' && isField(document.activeElement)) {
    if (!event.defaultPrevented) document.activeElement.blur();
    return;
  }
  if (isField(document.activeElement)) {
    const isSearch = document.activeElement.matches('input[type=search]');
    if (isSearch && event.key === 'ArrowDown' && walk(1)) event.preventDefault();
    return;
  }
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    if (document.querySelector('[data-walk]')?.contains(document.activeElement) && walk(event.key === 'ArrowDown' ? 1 : -1)) event.preventDefault();
    return;
  }
  if (isOff() && event.key !== '?') return;
  if (event.timeStamp - last > WAIT) typed = [];
  last = event.timeStamp;
  if (event.key.length > 1 && event.key !== 'Escape') return;
  if (event.key === '?') {
    event.preventDefault();
    show();
    return;
  }
  if (typed.length === 0 && (event.key === 'j' || event.key === 'k') && walk(event.key === 'j' ? 1 : -1)) {
    event.preventDefault();
    return;
  }
  typed.push(event.key);
  const sequence = typed.join(' ');
  const found = targets().find(e => e.dataset.keys === sequence);
  if (found) {
    event.preventDefault();
    typed = [];
    answer(found);
  } else if (!targets().some(e => e.dataset.keys.startsWith(sequence + ' '))) {
    typed = [];
  } else {
    event.preventDefault();
  }
});

function show() {
  if (!dialog) return;
  const list = dialog.querySelector('dl');
  list.replaceChildren(...targets().map(element => {
    const row = document.createElement('div');
    const keys = document.createElement('dt');
    for (const key of element.dataset.keys.split(' ')) {
      const kbd = document.createElement('kbd');
      kbd.textContent = key;
      keys.append(kbd, ' ');
    }
    const name = document.createElement('dd');
    const copy = element.cloneNode(true);
    for (const kbd of copy.querySelectorAll('kbd')) kbd.remove();
    name.textContent = element.dataset.name ?? copy.textContent.trim();
    row.append(keys, name);
    return row;
  }));
  name();
  dialog.showModal();
}

function name() {
  const toggle = dialog.querySelector('[data-toggle]');
  toggle.textContent = isOff() ? dialog.dataset.lettersOn : dialog.dataset.lettersOff;
}

if (dialog) {
  document.querySelector('.keys-hint').hidden = false;
  document.querySelector('[data-open]')?.addEventListener('click', show);
  dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
  dialog.querySelector('[data-toggle]').addEventListener('click', () => {
    if (isOff()) localStorage.removeItem(OFF); else localStorage.setItem(OFF, 'yes');
    name();
  });
}

// What has to be answered first is answered with one key.
document.querySelector('[data-override]')?.focus();
