// Passkeys: hands the page's wish to the browser, and sends what it answers with the page's form. Without this file, or
// where the browser has no passkeys, the pages are as if there were none.

const bytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));
const text = buffer => btoa(Array.from(new Uint8Array(buffer), b => String.fromCharCode(b)).join(""))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// A page's challenge is good for five minutes; one that stood open is asked for anew.
const GOOD = 4.5 * 60 * 1000;
let drawn = performance.now();

function fill(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  form.submit();
}

function tell(form, error) {
  // What was ended by this page itself is no news.
  if (error.name === "AbortError") return;
  const known = error.name === "InvalidStateError" ? ".passkey-known" : ".passkey-none";
  for (const said of form.querySelectorAll(".passkey-known, .passkey-none")) said.hidden = !said.matches(known);
}

async function wish(form) {
  if (performance.now() - drawn > GOOD) {
    const page = new DOMParser().parseFromString(await (await fetch("/auth/sign-in")).text(), "text/html");
    const anew = page.querySelector("form[data-passkey]");
    if (anew) {
      form.dataset.passkey = anew.dataset.passkey;
      form.elements.form.value = anew.elements.form.value;
      drawn = performance.now();
    }
  }
  const wish = JSON.parse(form.dataset.passkey);
  wish.challenge = bytes(wish.challenge);
  return wish;
}

async function signIn(form, more) {
  const { id, response } = await navigator.credentials.get({ publicKey: await wish(form), ...more });
  fill(form, {
    credential: id,
    "client-data": text(response.clientDataJSON),
    "authenticator-data": text(response.authenticatorData),
    signature: text(response.signature),
    "user-handle": response.userHandle ? text(response.userHandle) : "",
  });
}

async function make(form) {
  const wish = JSON.parse(form.dataset.newPasskey);
  wish.challenge = bytes(wish.challenge);
  wish.user.id = bytes(wish.user.id);
  for (const known of wish.excludeCredentials) known.id = bytes(known.id);
  const login = form.elements.login;
  if (login && !login.readOnly) {
    if (!login.reportValidity()) return;
    wish.user.name = login.value;
    wish.user.displayName = form.elements.name.value || login.value;
  }
  const { response } = await navigator.credentials.create({ publicKey: wish });
  fill(form, {
    "client-data": text(response.clientDataJSON),
    attestation: text(response.attestationObject),
    transports: (response.getTransports?.() ?? []).join(","),
  });
}

// Offered beside the names the browser fills in, until the button is pressed or the challenge is too old.
let offered = new AbortController();
async function offer(form) {
  if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
  for (;;) {
    offered = new AbortController();
    const until = setTimeout(() => offered.abort("too old"), GOOD);
    try {
      await signIn(form, { mediation: "conditional", signal: offered.signal });
      return;
    } catch (error) {
      if (error !== "too old") return;
    } finally {
      clearTimeout(until);
    }
  }
}

const isHere = wish => window.PublicKeyCredential && JSON.parse(wish).origin === location.origin;

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!isHere(form.dataset.passkey)) continue;
  for (const part of document.querySelectorAll(".with-passkey")) part.hidden = false;
  form.querySelector(".passkey").addEventListener("click", () => {
    offered.abort();
    signIn(form, {}).catch(error => tell(form, error));
  });
  // After a refusal the person decides what comes next.
  if (!document.querySelector(".desk > [role=alert]")) offer(form);
}

for (const form of document.querySelectorAll("form[data-new-passkey]")) {
  if (!isHere(form.dataset.newPasskey)) continue;
  for (const part of document.querySelectorAll(".with-passkey")) part.hidden = false;
  form.querySelector(".passkey").addEventListener("click", () => make(form).catch(error => tell(form, error)));
}
