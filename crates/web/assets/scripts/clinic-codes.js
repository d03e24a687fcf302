// Suggestions for a field, by a few letters (the combobox pattern of the ARIA Authoring Practices).
for (const input of document.querySelectorAll('input[data-codes]')) {
  const form = input.form;
  const field = name => form.elements.namedItem(name);
  const list = document.createElement('ul');
  list.id = `${input.id}-list`;
  list.className = 'suggestions';
  list.role = 'listbox';
  list.hidden = true;
  input.after(list);
  input.role = 'combobox';
  input.setAttribute('aria-autocomplete', 'list');
  input.setAttribute('aria-controls', list.id);
  input.setAttribute('aria-expanded', 'false');
  let choices = [];
  let at = -1;
  let asked = 0;

  const show = isShown => {
    list.hidden = !isShown;
    input.setAttribute('aria-expanded', String(isShown));
    if (!isShown) input.removeAttribute('aria-activedescendant');
  };
  const point = to => {
    at = to;
    [...list.children].forEach((item, index) => item.setAttribute('aria-selected', String(index === at)));
    const item = list.children[at];
    if (item) {
      input.setAttribute('aria-activedescendant', item.id);
      item.scrollIntoView({block: 'nearest'});
    } else {
      input.removeAttribute('aria-activedescendant');
    }
  };
  const take = choice => {
    input.value = choice.name;
    field('chosen').value = choice.name;
    for (const name of ['system', 'code', 'extra']) field(name).value = choice[name];
    const extra = form.querySelector('[data-extra]');
    if (extra && choice.extra) extra.value = choice.extra;
    show(false);
    for (const offers of form.querySelectorAll('.offers')) offers.remove();
    form.dispatchEvent(new Event('input', {bubbles: true}));
  };
  input.addEventListener('input', async event => {
    if (event.isComposing) return;
    const text = input.value.trim();
    const turn = ++asked;
    if (text.length < 2 && !/[^\x00-\x7f]/.test(text)) {
      show(false);
      return;
    }
    try {
      const answer = await fetch(`${input.dataset.codes}&q=${encodeURIComponent(text)}`);
      if (!answer.ok || turn !== asked) return;
      choices = await answer.json();
    } catch {
      return;
    }
    list.replaceChildren(...choices.map((choice, index) => {
      const item = document.createElement('li');
      item.id = `${list.id}-${index}`;
      item.role = 'option';
      const code = document.createElement('span');
      code.className = 'code';
      code.textContent = choice.code;
      item.append(choice.name, code);
      item.addEventListener('pointerdown', press => {
        press.preventDefault();
        take(choice);
      });
      return item;
    }));
    point(choices.length > 0 ? 0 : -1);
    show(choices.length > 0 && document.activeElement === input);
  });
  input.addEventListener('compositionend', () => input.dispatchEvent(new Event('input', {bubbles: true})));
  input.addEventListener('keydown', event => {
    if (list.hidden || event.isComposing || event.ctrlKey || event.metaKey) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      point((at + (event.key === 'ArrowDown' ? 1 : choices.length - 1)) % choices.length);
    } else if (event.key === 'Enter' && choices[at]) {
      event.preventDefault();
      take(choices[at]);
    } else if (event.key === 'Tab' && choices[at]) {
      take(choices[at]);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      show(false);
    }
  });
  input.addEventListener('blur', () => show(false));
}
