// The slider of time: the chart as it was known on a day, fetched as it is let go, put in place without leaving.
const DAY = 86400000;

function begin() {
  const form = document.querySelector('[data-as-of]');
  const slider = form?.querySelector('input[type=range]');
  if (!slider) return;
  form.querySelector('.slider').hidden = false;
  const date = form.querySelector('input[type=date]');
  const day = () => new Date(Date.parse(form.dataset.asOf) + Number(slider.value) * DAY).toISOString().slice(0, 10);
  const tell = () => slider.setAttribute('aria-valuetext', day());
  tell();
  slider.addEventListener('input', () => {
    date.value = day();
    tell();
  });
  slider.addEventListener('change', () => go(`${form.action}${Number(slider.value) === 0 ? '' : `?as_of=${day()}`}`));
}

let asked;

async function go(address) {
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(address, {signal: asked.signal, headers: {accept: 'text/html'}});
    if (!answer.ok || answer.redirected) {
      location.assign(address);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const [fresh, here] = [page.querySelector('main'), document.querySelector('main')];
    if (!fresh || !here) {
      location.assign(address);
      return;
    }
    here.replaceChildren(...fresh.childNodes);
    history.replaceState(null, '', address);
    begin();
    document.getElementById('slider')?.focus();
  } catch (error) {
    if (error.name !== 'AbortError') location.assign(address);
  }
}

begin();
