//! The pages, in a real browser: what a person sees and does.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::hub::{self, Hub};

/// Someone whose every text is an attempt to run a script, and who has no birth date.
fn hostile() -> Value {
    let text = "<script>document.title='ran'</script><img src=x onerror=document.title='ran'>";
    json!({"resourceType": "Patient", "id": "hostile", "name": [{"text": text, "family": text}],
        "address": [{"text": text, "city": text}]})
}

/// A community of forty, and one more.
pub(crate) fn community(folder: &Path) -> Hub {
    let data = folder.join("hub");
    let place = data.to_str().unwrap();
    hub::run_well(&["demo", "--persons", "40", "--seed", "3", "--quiet", "--no-serve", "--data", place]);
    let more = folder.join("more.json");
    std::fs::write(&more, hostile().to_string()).unwrap();
    hub::import(&data, &[&more]);
    Hub::serve(&data)
}

/// Names and birth date of the first person found.
pub(crate) fn someone(hub: &Hub) -> (String, [String; 3], String) {
    let (_, found) = hub.get("Patient?_count=1&_sort=birthdate&birthdate:missing=false&deceased=false");
    let patient = &found["entry"][0]["resource"];
    let name = |representation: &str| {
        let names = patient["name"].as_array().unwrap();
        let of = |n: &&Value| n["extension"][0]["valueCode"] == representation;
        let name = names.iter().find(of).unwrap_or_else(|| panic!("no {representation} in {patient}"));
        format!("{} {}", name["family"].as_str().unwrap(), name["given"][0].as_str().unwrap())
    };
    let id = patient["id"].as_str().unwrap().to_owned();
    (id, [name("IDE"), name("SYL"), name("ABC")], patient["birthDate"].as_str().unwrap().to_owned())
}

/// Names that everything on a page that is used or seen must have, and that nothing leaves the window.
const FINDINGS: &str = "
    const found = [];
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 0) found.push(`${wide} px wider than the window`);
    if (!document.documentElement.lang) found.push('no language');
    if (!document.title) found.push('no title');
    if (document.querySelectorAll('h1').length !== 1) found.push('not one h1');
    if (document.querySelectorAll('main').length !== 1) found.push('not one main');
    let level = 1;
    for (const h of document.querySelectorAll('main h1, main h2, main h3, main h4')) {
        const here = Number(h.tagName[1]);
        if (here > level + 1) found.push(`${h.tagName} '${h.textContent}' after h${level}`);
        level = here;
    }
    for (const i of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
        if (!i.labels || !i.labels.length || !i.labels[0].textContent.trim()) found.push(`no label: ${i.name}`);
    for (const a of document.querySelectorAll('a, button, summary'))
        if (!a.textContent.trim() && !a.getAttribute('aria-label')) found.push(`no name: ${a.outerHTML}`);
    for (const s of document.querySelectorAll('svg'))
        if (s.getAttribute('aria-hidden') !== 'true' && !s.querySelector('title') && !s.getAttribute('aria-label')
            && !s.getAttribute('aria-labelledby')) found.push(`no description: ${s.outerHTML.slice(0, 80)}`);
    for (const i of document.querySelectorAll('img')) if (!i.hasAttribute('alt')) found.push(`no alt: ${i.src}`);
    const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
    for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) found.push(`id twice: ${id}`);
    const small = [...document.querySelectorAll('button, input, summary, nav a')]
        .filter(e => { const r = e.getBoundingClientRect(); return r.height && (r.height < 24 || r.width < 24); });
    for (const e of small) found.push(`smaller than 24 px: ${e.outerHTML.slice(0, 80)}`);
    // Contrast of text (WCAG 2.2, 1.4.3) against the nearest background that is not transparent.
    const channels = c => (c.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = e => {
        for (; e; e = e.parentElement) {
            const c = channels(getComputedStyle(e).backgroundColor);
            if (c.length === 3 || c[3] === 1) return c;
        }
        return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    while (walker.nextNode()) {
        const e = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || seen.has(e) || e.closest('svg') || !e.checkVisibility()) continue;
        seen.add(e);
        const style = getComputedStyle(e);
        const [a, b] = [light(channels(style.color)), light(ground(e))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${e.textContent.trim().slice(0, 40)}`);
    }
    return found;
";

pub(crate) fn is_well(browser: &Browser, page: &str) {
    assert_eq!(browser.script(FINDINGS), json!([]), "{page}");
}

#[test]
fn a_person_is_found_and_their_chart_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let (id, names, born) = someone(&hub);
    let browser = Browser::open(1280, "ja");

    browser.go(&format!("{root}/"));
    assert_eq!(browser.text("return document.documentElement.lang"), "ja");
    let holds = |name: &str| hub.get(&format!("{name}?_summary=count")).1["total"].clone();
    let shown = browser
        .text("return document.querySelector('.types a[href=\"/fhir/Observation\"] + span').textContent");
    assert_eq!(json!(shown.replace(',', "").parse::<u64>().unwrap()), holds("Observation"));

    // By each way of writing the name, and the birth date; with the keyboard alone.
    let [kanji, kana, letters] = &names;
    let part = |name: &String| name.split(' ').next().unwrap().to_owned();
    let upper = letters.to_uppercase();
    for sought in [kanji, &part(kanji), kana, &part(kana), letters, &upper, &born] {
        browser.go(&format!("{root}/"));
        browser.type_into("#q", &format!("{sought}\n"));
        let found = browser.script("return [...document.querySelectorAll('.people a')].map(a => a.pathname)");
        let found: Vec<&str> = found.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(found.contains(&format!("/patients/{id}").as_str()), "{sought}: {found:?}");
        assert!(found.len() < 41, "{sought} finds all");
    }
    browser.go(&format!("{root}/"));
    browser.type_into("#q", "zzz nobody\n");
    assert_eq!(browser.script("return document.querySelectorAll('.people a').length"), 0);
    is_well(&browser, "nobody found");

    // The chart, in both languages.
    browser.go(&format!("{root}/people?q={born}"));
    browser.press(&format!("a[href^='/patients/{id}']"));
    assert_eq!(browser.text("return document.querySelector('h1').textContent"), *kanji);
    assert!(browser.script("return document.querySelectorAll('svg').length").as_u64() > Some(3));
    browser.press(".languages a[lang=en]");
    assert_eq!(browser.text("return document.documentElement.lang"), "en");
    assert_eq!(browser.text("return document.querySelector('h1').textContent"), *kanji);

    // As of a day: then there was less.
    let observed = "return document.querySelector('.source a').href";
    let now = browser.text("return document.body.textContent").len();
    browser.press(".jumps li:last-child a");
    assert!(browser.script("return document.querySelector('.then') !== null") == true);
    assert!(browser.text(observed).contains("_asOf="), "{}", browser.text(observed));
    let then = browser.text("return document.body.textContent").len();
    assert!(then < now, "five years ago: {then} letters, now: {now}");
    is_well(&browser, "a chart as of a day");
    browser.press(".then a");
    assert!(browser.script("return document.querySelector('.then') === null") == true);

    let (complaints, addresses) = browser.complaints_and_addresses();
    assert!(complaints.is_empty(), "{complaints:?}");
    assert!(addresses.len() > 10);
    let own = |a: &&String| a.starts_with(&root) || a.starts_with("data:");
    let foreign: Vec<&String> = addresses.iter().filter(|a| !own(a)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn every_page_is_well_on_a_telephone_and_a_desk() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let (id, ..) = someone(&hub);
    for (width, scheme) in [(320, "dark"), (320, "light"), (1280, "light"), (1280, "dark")] {
        let browser = Browser::open(width, "en-GB");
        browser.prefer("prefers-color-scheme", scheme);
        for language in ["ja", "en"] {
            for page in [
                "/",
                "/people?q=a",
                "/people?q=",
                "/patients/hostile",
                &format!("/patients/{id}"),
                "/nothing",
            ] {
                let mark = if page.contains('?') { '&' } else { '?' };
                browser.go(&format!("{root}{page}{mark}lang={language}"));
                assert_eq!(browser.text("return document.documentElement.lang"), language);
                is_well(&browser, &format!("{page} in {language} at {width} px, {scheme}"));
                assert_ne!(browser.text("return document.title"), "ran");
                // Opened, the lists within must hold too.
                browser.script("document.querySelectorAll('details').forEach(d => d.open = true)");
                is_well(&browser, &format!("{page} in {language} at {width} px, {scheme}, opened"));
            }
        }
        // What looks for faults finds them.
        browser.script(
            "const main = document.querySelector('main');
            main.insertAdjacentHTML('beforeend', '<img src=x><input><h4>deep</h4><p>pale</p><p>wide</p><a href=/></a>');
            const [pale, wide] = [...main.querySelectorAll('p')].slice(-2);
            pale.style = 'color: #777; background: #888';
            wide.style = 'width: 3000px';",
        );
        let faults = browser.script(FINDINGS);
        for fault in ["wider than", "no alt", "no label", "'deep' after", "pale", "no name"] {
            assert!(faults.to_string().contains(fault), "{fault} is not among {faults}");
        }
    }
}
