// What changes by itself: fetched anew every few seconds and put in place, until it is paused, out of sight or left alone.
const EVERY = 5000;
const LEFT_ALONE = 15 * 60 * 1000;

const live = document.querySelector('[data-live]');
const button = document.querySelector('[data-pause]');
let isPaused = false;
let touched = Date.now();
for (const what of ['pointermove', 'keydown', 'scroll']) addEventListener(what, () => { touched = Date.now(); }, {passive: true});

async function refresh() {
  if (isPaused || document.hidden || Date.now() - touched > LEFT_ALONE || live.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, {headers: {accept: 'text/html'}});
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = page.querySelector('[data-live]');
    if (fresh && !isPaused) live.replaceChildren(...fresh.childNodes);
  } catch {
    // The hub is not there now; the next look may find it.
  }
}

if (live && button) {
  const pause = button.textContent;
  button.hidden = false;
  button.addEventListener('click', () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? button.dataset.go : pause;
    refresh();
  });
  setInterval(refresh, EVERY);
}
