// A questionnaire keeps what was answered as one goes, and shows what follows from it: the form is sent as a draft, and what
// the hub draws of it takes the form's place, with the reader where they were.
let waiting;

function place(form) {
  const here = document.activeElement;
  return here && form.contains(here) && here.name ? { name: here.name, value: here.value, type: here.type } : null;
}

async function keep() {
  const form = document.querySelector('form.questions');
  if (!form || !form.querySelector('[value=draft]')) return;
  const body = new URLSearchParams(new FormData(form));
  const sent = body.toString();
  body.set('action', 'draft');
  let answer;
  try {
    answer = await fetch(form.getAttribute('action'), { method: 'POST', body, credentials: 'same-origin' });
  } catch {
    return; // Without a connection the answers stay in the page; the next change sends them all.
  }
  if (!answer.ok && answer.status !== 422) return;
  const drawn = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('form.questions');
  // Whoever typed on meanwhile is not interrupted.
  if (!drawn || isComposing || new URLSearchParams(new FormData(form)).toString() !== sent) return;
  const here = place(form);
  keepFields(form, drawn);
  form.replaceWith(drawn);
  if (here) {
    const same = [...drawn.elements].filter(e => e.name === here.name);
    const back = same.find(e => e.type !== 'radio' && e.type !== 'checkbox' || e.value === here.value);
    back?.focus({ preventScroll: true });
  }
}

// Fields that are typed into stay the same elements: the caret, and what is half typed, stay too.
function keepFields(form, drawn) {
  const isTyped = e => e.name && (e.tagName === 'TEXTAREA' || (e.tagName === 'INPUT' && !['radio', 'checkbox', 'hidden'].includes(e.type)));
  for (const fresh of [...drawn.elements].filter(isTyped)) {
    const old = [...form.elements].find(e => e.name === fresh.name && isTyped(e));
    if (!old) continue;
    for (const name of ['aria-invalid', 'aria-describedby']) {
      if (fresh.hasAttribute(name)) old.setAttribute(name, fresh.getAttribute(name));
      else old.removeAttribute(name);
    }
    fresh.replaceWith(old);
  }
}

let isComposing = false;
document.addEventListener('compositionstart', () => { isComposing = true; });
document.addEventListener('compositionend', () => { isComposing = false; });

document.addEventListener('change', event => {
  if (!event.target.closest('form.questions')) return;
  clearTimeout(waiting);
  waiting = setTimeout(keep, 400);
});
