// A button that prints the page, where there is script to do it.
const button = document.querySelector('.print-now');
if (button) {
  button.hidden = false;
  document.querySelector('.print-hint')?.remove();
  button.addEventListener('click', () => print());
}
