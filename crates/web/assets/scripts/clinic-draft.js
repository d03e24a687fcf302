// Nothing that is typed is lost: every keystroke is kept in this browser until the hub has it, and at the hub until it is
// signed. Others who write in the same draft are shown, and what they write is merged in or asked about.
const PAUSE = 350;
const LOOK = 3000;

for (const form of document.querySelectorAll('form[data-drafts]')) {
  const id = form.dataset.id;
  const key = `draft:${id}`;
  const state = form.querySelector('.draft-state');
  const conflict = form.querySelector('.draft-conflict');
  const windowName = crypto.randomUUID();
  form.elements.namedItem('window').value = windowName;
  const own = new Set(['draft', 'revision', 'window', 'action', 'pick', 'override']);
  let revision = Number(form.elements.namedItem('revision').value);
  let isBusy = false;
  let isWanted = false;
  let isOver = false;
  let timer;

  const read = () => {
    const fields = {};
    for (const [name, value] of new FormData(form)) if (!own.has(name)) fields[name] = value;
    return fields;
  };
  const put = fields => {
    for (const element of form.elements) {
      if (!element.name || own.has(element.name)) continue;
      const value = fields[element.name] ?? '';
      if (element.type === 'checkbox' || element.type === 'radio') {
        element.checked = element.value === value;
      } else if (element.value !== value) {
        const [start, end] = [element.selectionStart, element.selectionEnd];
        element.value = value;
        if (document.activeElement === element && start !== null) element.setSelectionRange(start, end);
      }
    }
  };
  const same = (a, b) => [...new Set([...Object.keys(a), ...Object.keys(b)])].every(n => (a[n] ?? '') === (b[n] ?? ''));
  let base = read();

  const kept = () => {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  };
  const keep = () => {
    try {
      localStorage.setItem(key, JSON.stringify({base: revision, was: base, fields: read()}));
    } catch { /* a browser that keeps nothing still sends */ }
  };
  const tell = (text, others = []) => {
    const names = others.map(other => other.name);
    state.textContent = names.length ? `${text} · ${form.dataset.with} ${names.join(', ')}` : text;
  };
  const at = next => {
    revision = next;
    form.elements.namedItem('revision').value = String(next);
  };

  async function send() {
    if (isBusy) {
      isWanted = true;
      return;
    }
    const fields = read();
    isBusy = true;
    try {
      const body = JSON.stringify({id, window: windowName, base: revision, was: base, fields});
      const answer = await fetch(form.dataset.drafts, {method: 'POST', body, headers: {'content-type': 'application/json'}, keepalive: body.length < 60000});
      if (!answer.ok) throw new Error(String(answer.status));
      const told = await answer.json();
      if (isOver) return;
      if (told.state === 'conflict') {
        ask(told, fields);
        return;
      }
      at(told.revision);
      const isStill = same(read(), fields);
      base = told.fields;
      if (told.state === 'merged' && isStill) put(told.fields);
      if (isStill) localStorage.removeItem(key);
      tell(told.state === 'merged' ? form.dataset.merged : form.dataset.sent, told.others);
      if (!isStill) isWanted = true;
    } catch {
      tell(form.dataset.unsent);
      timer = setTimeout(send, LOOK);
    } finally {
      isBusy = false;
      if (isWanted && conflict.hidden) {
        isWanted = false;
        timer = setTimeout(send, PAUSE);
      }
    }
  }

  // Both sides are shown, and the reader chooses; the hub keeps the other one either way.
  function ask(told, mine) {
    const differing = Object.keys(mine).filter(name => (mine[name] ?? '') !== (told.fields[name] ?? ''));
    const side = (title, fields) => {
      const box = document.createElement('div');
      const head = document.createElement('p');
      head.textContent = title;
      const text = document.createElement('p');
      text.className = 'text';
      text.textContent = differing.map(name => fields[name] ?? '').join('\n');
      box.append(head, text);
      return box;
    };
    const choose = (label, fields) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = label;
      button.addEventListener('click', () => {
        conflict.hidden = true;
        at(told.revision);
        base = told.fields;
        put(fields);
        keep();
        send();
        form.querySelector('textarea, input:not([type=hidden])')?.focus();
      });
      return button;
    };
    const both = {...told.fields};
    for (const name of differing) both[name] = [told.fields[name], mine[name]].filter(Boolean).join('\n');
    const sides = document.createElement('div');
    sides.className = 'sides';
    sides.append(side(told.by, told.fields), side(form.dataset.mine, mine));
    const title = document.createElement('p');
    title.role = 'alert';
    title.textContent = form.dataset.conflict;
    conflict.replaceChildren(title, sides, choose(form.dataset.mine, {...told.fields, ...mine}), ' ', choose(form.dataset.theirs, told.fields), ' ', choose(form.dataset.both, both));
    conflict.hidden = false;
  }

  async function look() {
    if (document.hidden || isBusy || isOver || !conflict.hidden) return;
    try {
      const answer = await fetch(`${form.dataset.drafts}?draft=${id}&window=${windowName}`);
      if (!answer.ok) return;
      const told = await answer.json();
      if (told.state !== 'stored') {
        if (told.others?.length) tell(state.textContent.split(' · ')[0], told.others);
        return;
      }
      if (told.revision > revision) {
        // Where nothing of one's own waits, what others wrote is shown at once.
        if (same(read(), base)) {
          put(told.fields);
          base = told.fields;
          at(told.revision);
          tell(form.dataset.merged, told.others);
        } else {
          send();
        }
      } else if (told.others.length) {
        tell(form.dataset.sent, told.others);
      }
    } catch { /* the next look may succeed */ }
  }

  form.addEventListener('input', () => {
    keep();
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE);
  });
  form.addEventListener('submit', event => {
    const action = event.submitter?.value;
    isOver = true;
    clearTimeout(timer);
    if (action === 'sign' || action === 'discard' || event.submitter?.name === 'override') localStorage.removeItem(key);
  });
  addEventListener('pagehide', () => {
    if (!isOver && !same(read(), base)) {
      const body = JSON.stringify({id, window: windowName, base: revision, was: base, fields: read()});
      navigator.sendBeacon(form.dataset.drafts, new Blob([body], {type: 'application/json'}));
    }
  });
  addEventListener('online', send);
  setInterval(look, LOOK);

  // What did not reach the hub before the browser went.
  const left = kept();
  if (left && !same(left.fields, base)) {
    if (left.base === revision) {
      put(left.fields);
      tell(form.dataset.restored);
      send();
    } else {
      at(left.base);
      base = left.was;
      put(left.fields);
      send();
    }
  }

  // Texts put in by a dot, a letter and Tab.
  for (const area of form.querySelectorAll('textarea[data-snippets]')) {
    let snippets = {};
    try {
      snippets = JSON.parse(area.dataset.snippets);
    } catch { /* then there are none */ }
    area.addEventListener('keydown', event => {
      if (event.key !== 'Tab' || event.shiftKey || event.isComposing) return;
      const before = area.value.slice(0, area.selectionStart);
      const found = /(?:^|\s)\.([a-z]+)$/.exec(before);
      const text = found && snippets[found[1]];
      if (!text) return;
      event.preventDefault();
      const start = before.length - found[1].length - 1;
      area.setRangeText(text, start, area.selectionStart, 'end');
      if (found[1] === 'soap') area.setSelectionRange(start + 3, start + 3);
      area.dispatchEvent(new Event('input', {bubbles: true}));
    });
  }
}
