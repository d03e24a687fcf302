// Keeps the person's pages, and what they write without a connection, on a device where they turned that on.
//
// Everything kept is encrypted (AES-GCM) with a key the browser makes and does not give out; without the key nothing is kept.
// What was written waits until the hub has taken it. What the hub refuses stays, with what was typed, until the person
// drops it.
'use strict';

const DATABASE = 'yojigen-me';
const STORES = ['keys', 'pages', 'waiting'];
const ASSETS = 'yojigen-assets';
const MOST_PAGES = 60;

let opening;

function database() {
  opening ??= new Promise((done, fail) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) {
        request.result.createObjectStore(store, store === 'waiting' ? { keyPath: 'id', autoIncrement: true } : undefined);
      }
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => { opening = undefined; fail(request.error); };
  });
  return opening;
}

async function store(name, mode, work) {
  const all = await database();
  return new Promise((done, fail) => {
    const transaction = all.transaction(name, mode);
    const request = work(transaction.objectStore(name));
    transaction.oncomplete = () => done(request?.result);
    transaction.onerror = () => fail(transaction.error);
    transaction.onabort = () => fail(transaction.error);
  });
}

const key = () => store('keys', 'readonly', s => s.get('key'));

async function seal(secret, bytes) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  return { iv, bytes: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, secret, bytes) };
}

const unseal = (secret, sealed) => crypto.subtle.decrypt({ name: 'AES-GCM', iv: sealed.iv }, secret, sealed.bytes);
const encode = value => new TextEncoder().encode(JSON.stringify(value));
const decode = bytes => JSON.parse(new TextDecoder().decode(bytes));

// Addresses are names of persons, too: a page is found by a hash of its address.
async function name(path) {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(path));
  return [...new Uint8Array(hash)].map(b => b.toString(16).padStart(2, '0')).join('');
}

async function turnOn() {
  if (!await key()) {
    const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    await store('keys', 'readwrite', s => s.put(made, 'key'));
  }
}

// Pages go at once. The key stays only for what was written and is not sent yet.
async function forget(isAll) {
  await store('pages', 'readwrite', s => s.clear());
  const waiting = isAll ? 0 : await store('waiting', 'readonly', s => s.count());
  if (!waiting) {
    await store('waiting', 'readwrite', s => s.clear());
    await store('keys', 'readwrite', s => s.clear());
    await caches.delete(ASSETS);
  }
}

async function keep(secret, path, response) {
  const page = { html: await response.text(), policy: response.headers.get('content-security-policy') };
  const sealed = await seal(secret, encode(page));
  await store('pages', 'readwrite', s => s.put({ ...sealed, at: Date.now() }, path));
  const count = await store('pages', 'readonly', s => s.count());
  if (count > MOST_PAGES) {
    const names = await store('pages', 'readonly', s => s.getAllKeys());
    const pages = await store('pages', 'readonly', s => s.getAll());
    const oldest = pages.map((p, at) => [p.at, names[at]]).sort((a, b) => a[0] - b[0])[0];
    await store('pages', 'readwrite', s => s.delete(oldest[1]));
  }
}

async function kept(secret, url) {
  const home = url.pathname.split('/').slice(0, 3).join('/');
  for (const path of [url.pathname + url.search, url.pathname, home]) {
    const hash = await name(path);
    const sealed = await store('pages', 'readonly', s => s.get(hash));
    if (!sealed) continue;
    const page = decode(await unseal(secret, sealed));
    const html = page.html.replace('offline-note" hidden', 'offline-note"');
    const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': page.policy };
    return new Response(html, { headers });
  }
  return undefined;
}

async function get(event) {
  const url = new URL(event.request.url);
  const secret = await key();
  let response;
  try {
    response = await fetch(event.request);
  } catch (failure) {
    const found = secret && await kept(secret, url);
    if (found) return found;
    throw failure;
  }
  if (!secret) return response;
  const isOwn = /^\/me\/[^/]+/.test(url.pathname);
  if (response.status === 401 || (isOwn && response.type === 'opaqueredirect')) {
    // Whoever is here is not signed in any more.
    event.waitUntil(forget(false));
  } else if (response.ok && isOwn) {
    url.searchParams.delete('saved');
    url.searchParams.delete('said');
    const copy = response.clone();
    event.waitUntil(name(url.pathname + url.search).then(path => keep(secret, path, copy)));
  }
  return response;
}

async function post(event) {
  const request = event.request;
  const copy = request.clone();
  try {
    return await fetch(request);
  } catch (failure) {
    const secret = await key();
    const url = new URL(request.url);
    const entry = url.pathname.match(/^\/me\/([^/]+)\/(add|entry)\//);
    if (!secret || !entry) throw failure;
    const about = { url: url.pathname, type: copy.headers.get('content-type'), at: Date.now() };
    const waiting = {
      about: await seal(secret, encode(about)),
      body: await seal(secret, await copy.arrayBuffer()),
      refused: 0,
    };
    await store('waiting', 'readwrite', s => s.add(waiting));
    return Response.redirect(`/me/${entry[1]}/offline?kept=1`, 303);
  }
}

let sending;

// Sends what waits, one after the other; what the hub takes is gone, what it refuses stays and says so.
async function send() {
  const secret = await key();
  if (!secret) return;
  for (const one of await store('waiting', 'readonly', s => s.getAll())) {
    const about = decode(await unseal(secret, one.about));
    const body = await unseal(secret, one.body);
    let answer;
    try {
      answer = await fetch(about.url, { method: 'POST', headers: { 'content-type': about.type }, body, credentials: 'same-origin' });
    } catch {
      return;
    }
    const place = new URL(answer.url).pathname;
    if (answer.redirected && !place.startsWith('/me')) return;
    if (answer.ok && answer.redirected) {
      await store('waiting', 'readwrite', s => s.delete(one.id));
    } else if (answer.status >= 400 && answer.status < 500 && answer.status !== 401 && answer.status !== 429) {
      await store('waiting', 'readwrite', s => s.put({ ...one, refused: answer.status }));
    } else {
      return;
    }
  }
}

async function list() {
  const secret = await key();
  if (!secret) return { isOn: false, waiting: [] };
  const waiting = [];
  for (const one of await store('waiting', 'readonly', s => s.getAll())) {
    const about = decode(await unseal(secret, one.about));
    const isForm = (about.type ?? '').startsWith('application/x-www-form-urlencoded');
    const typed = isForm ? [...new URLSearchParams(new TextDecoder().decode(await unseal(secret, one.body)))] : [];
    waiting.push({ id: one.id, url: about.url, at: about.at, refused: one.refused, typed });
  }
  return { isOn: true, waiting };
}

async function asset(request) {
  const cached = await caches.match(request, { cacheName: ASSETS });
  if (cached) return cached;
  const response = await fetch(request);
  if (response.ok && await key()) {
    const cache = await caches.open(ASSETS);
    await cache.put(request, response.clone());
  }
  return response;
}

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', event => {
  const url = new URL(event.request.url);
  if (url.origin !== location.origin) return;
  const isPage = event.request.mode === 'navigate' && /^\/me(\/|$)/.test(url.pathname);
  if (isPage && event.request.method === 'GET') event.respondWith(get(event));
  else if (isPage && event.request.method === 'POST') event.respondWith(post(event));
  else if (url.pathname.startsWith('/assets/') && event.request.method === 'GET') event.respondWith(asset(event.request));
});

// Fetches pages to have them.
async function fetched(paths) {
  const secret = await key();
  for (const path of secret ? paths : []) {
    const response = await fetch(path, { credentials: 'same-origin', headers: { accept: 'text/html' } }).catch(() => undefined);
    if (!response?.ok || response.redirected) continue;
    const html = await response.clone().text();
    for (const [, address] of html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)) await asset(new Request(address)).catch(() => undefined);
    await keep(secret, await name(path), response);
  }
}

self.addEventListener('message', event => {
  const work = async () => {
    const { what, id, paths } = event.data ?? {};
    if (what === 'keep') await fetched(paths);
    if (what === 'on') await turnOn();
    if (what === 'off') await forget(true);
    if (what === 'drop') await store('waiting', 'readwrite', s => s.delete(id));
    if (what === 'send') {
      sending ??= send().finally(() => { sending = undefined; });
      await sending;
    }
    event.ports[0]?.postMessage(await list());
  };
  event.waitUntil(work());
});
