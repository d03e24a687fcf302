// What is to be looked at is shown while a medicine is being written.
const PAUSE = 500;

for (const place of document.querySelectorAll('[data-check]')) {
  const form = place.closest('form');
  let timer;
  let asked = 0;
  async function check() {
    const turn = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    if (!fields.get('what') || !fields.get('usage')) {
      place.replaceChildren();
      return;
    }
    try {
      const answer = await fetch(place.dataset.check, {method: 'POST', body: fields});
      if (turn !== asked || answer.redirected) return;
      if (answer.status === 204) {
        place.replaceChildren();
      } else if (answer.ok) {
        const part = new DOMParser().parseFromString(await answer.text(), 'text/html');
        place.replaceChildren(...part.body.childNodes);
      }
    } catch { /* it is checked when it is signed */ }
  }
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  });
  if (!place.querySelector('[data-override]')) check();
}
