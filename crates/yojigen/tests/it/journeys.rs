//! The ways a journey is made: at each width, in each language, light and dark; where there is room for a keyboard, with the
//! keyboard alone.

use crate::browser::Browser;

/// A way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// CSS pixels.
    pub(crate) width: u32,
    /// The reader's language.
    pub(crate) language: &'static str,
    scheme: &'static str,
}

/// All ways with `YOJIGEN_JOURNEYS=all`, otherwise one that `YOJIGEN_SEED` or the clock chooses.
pub(crate) fn ways() -> Vec<Way> {
    let mut all = Vec::new();
    for width in [360, 768, 1440] {
        for language in ["ja", "en"] {
            all.extend(["light", "dark"].map(|scheme| Way { width, language, scheme }));
        }
    }
    if std::env::var("YOJIGEN_JOURNEYS").is_ok_and(|which| which == "all") {
        return all;
    }
    let seed = std::env::var("YOJIGEN_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let seed = seed.unwrap_or_else(|| usize::try_from(now() % 1000).unwrap());
    let way = all[seed % all.len()];
    println!("YOJIGEN_SEED={seed}: {way:?}");
    vec![way]
}

impl Way {
    /// A browser that is used this way.
    pub(crate) fn browser(self) -> Browser {
        let browser = Browser::open(self.width, self.language);
        browser.prefer("prefers-color-scheme", self.scheme);
        browser
    }

    /// Whether the keyboard alone is used.
    pub(crate) fn has_keyboard(self) -> bool {
        self.width > 360
    }

    /// A text of the pages, without what is put into it, in this way's language.
    pub(crate) fn say(self, key: &str) -> String {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/locales").join(self.language);
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            if let Some(found) = found {
                return found.split('{').next().unwrap_or_default().trim().to_owned();
            }
        }
        panic!("no {key}");
    }

    /// Follows a link or presses a button, with the keyboard alone or as a finger does, and waits for the page it leads to.
    pub(crate) fn act(self, browser: &Browser, selector: &str) {
        if self.has_keyboard() {
            browser.reach(selector);
            browser.leads_on(|| browser.keys(&["Enter"]));
        } else {
            browser.script(&format!(
                "document.querySelector({}).scrollIntoView({{block: 'center'}})",
                serde_json::json!(selector)
            ));
            browser.press(selector);
        }
    }
}
