// Turns the worker on and off, sends what waits when there is a connection, and shows what does.
const isPossible = 'serviceWorker' in navigator && 'subtle' in (globalThis.crypto ?? {}) && 'indexedDB' in globalThis;
const one = selector => document.querySelector(selector);

async function ask(message) {
  const registration = await navigator.serviceWorker.getRegistration('/me');
  const worker = registration?.active;
  if (!worker) return { isOn: false, waiting: [] };
  return new Promise(done => {
    const channel = new MessageChannel();
    channel.port1.onmessage = event => done(event.data);
    worker.postMessage(message, [channel.port2]);
  });
}

function item(entry, words) {
  const line = document.createElement('li');
  line.className = 'share';
  const what = document.createElement('div');
  const title = document.createElement('p');
  title.textContent = new Date(entry.at).toLocaleString(document.documentElement.lang);
  what.append(title);
  const typed = entry.typed.filter(([name, value]) => value && !['once', 'action', 'at', 'sure'].includes(name));
  const said = document.createElement('p');
  said.className = 'more';
  said.textContent = typed.map(([, value]) => value).join(' · ');
  what.append(said);
  if (entry.refused) {
    const refused = document.createElement('p');
    refused.className = 'error';
    refused.textContent = words.refused;
    const form = document.createElement('a');
    form.href = entry.url;
    form.textContent = words.form;
    what.append(refused, form);
  }
  const drop = document.createElement('button');
  drop.type = 'button';
  drop.className = 'plain';
  drop.textContent = words.drop;
  drop.addEventListener('click', async () => draw(await ask({ what: 'drop', id: entry.id })));
  line.append(what, drop);
  return line;
}

function draw(state) {
  const waiting = one('.offline-waiting');
  if (waiting) {
    waiting.hidden = state.waiting.length === 0 || location.pathname.endsWith('/offline');
    one('.offline-count').textContent = String(state.waiting.length);
  }
  const choice = one('.offline-choice');
  if (!choice) return;
  one('.offline-none').hidden = true;
  choice.hidden = false;
  one('.offline-on').hidden = state.isOn;
  one('.offline-off').hidden = !state.isOn;
  const said = one('.offline-state');
  said.textContent = state.isOn ? said.dataset.on : said.dataset.off;
  one('.offline-kept').hidden = !new URLSearchParams(location.search).has('kept');
  const list = one('.offline-list');
  list.hidden = state.waiting.length === 0;
  list.querySelector('ul').replaceChildren(...state.waiting.map(entry => item(entry, list.dataset)));
}

async function begin() {
  draw(await ask({ what: 'send' }));
  addEventListener('online', async () => draw(await ask({ what: 'send' })));
  one('.offline-send')?.addEventListener('click', async () => draw(await ask({ what: 'send' })));
  one('.offline-on')?.addEventListener('click', async () => {
    await navigator.serviceWorker.register('/me-worker.js', { scope: '/me' });
    const registration = await navigator.serviceWorker.ready;
    const state = await ask({ what: 'on' });
    draw(state);
    // The pages that are wanted first; visiting others keeps them, too.
    const home = location.pathname.replace(/\/offline$/, '');
    registration.active.postMessage({ what: 'keep', paths: ['', '/add', '/add/pressure', '/medicines', '/card', '/timeline', '/offline'].map(p => home + p) });
  });
  one('.offline-off')?.addEventListener('click', async () => {
    draw(await ask({ what: 'off' }));
    const registration = await navigator.serviceWorker.getRegistration('/me');
    await registration?.unregister();
  });
}

if (isPossible) begin();
