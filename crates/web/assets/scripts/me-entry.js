// A form of numbers: when a field has as many digits as such a number has, the next one is gone to.
for (const field of document.querySelectorAll('.entry-form input[data-digits]')) {
  const most = Number(field.dataset.digits);
  field.addEventListener('input', event => {
    // 9 as a first digit means that two are enough: there is no pressure of 900.
    const text = field.value.replace(/\D/g, '');
    const enough = most === 3 && /^[4-9]/.test(text) ? 2 : most;
    if (!most || event.inputType !== 'insertText' || text.length < enough) return;
    const all = [...field.form.querySelectorAll('input[data-digits]')];
    all[all.indexOf(field) + 1]?.focus();
  });
}
