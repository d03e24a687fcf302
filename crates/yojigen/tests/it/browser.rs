//! A real browser, over the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>) that chromedriver speaks.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A browser with one window. It ends with the value.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
}

/// What identifies an element, <https://www.w3.org/TR/webdriver2/#elements>.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// Opens a window of so many CSS pixels, whose reader prefers a language.
    pub(crate) fn open(width: u32, language: &str) -> Browser {
        let (driver, port) =
            (0..3).find_map(|_| Browser::start()).expect("chromedriver ended before it listened");
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(60))).build().into();
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{port}/session"), agent };
        let options = json!({
            "args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                format!("--accept-lang={language}")],
            "prefs": {"intl.accept_languages": language},
            "mobileEmulation": {"deviceMetrics":
                {"width": width, "height": 800, "pixelRatio": 1, "mobile": false, "touch": false}},
        });
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}});
        let begun = browser.ask("", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = format!("{}/{}", browser.session, begun["sessionId"].as_str().unwrap());
        browser
    }

    /// Starts the driver; none if it found its port taken.
    fn start() -> Option<(Child, String)> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing; `make test` installs it");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let mut ports = lines.map_while(Result::ok).filter_map(|line| {
            let (_, port) = line.rsplit_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        match ports.next() {
            Some(port) => Some((driver, port)),
            None => {
                let _ = driver.wait();
                None
            }
        }
    }

    fn ask(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}{command}", self.session);
        let request = self.agent.post(&url).header("content-type", "application/json");
        let text = request.send(body.to_string()).unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["value"]["error"].is_null(), "{command} {body}: {}", answer["value"]);
        answer["value"].clone()
    }

    /// Sets what the reader prefers (`prefers-color-scheme: dark`, `prefers-reduced-motion: reduce`).
    pub(crate) fn prefer(&self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.ask("/goog/cdp/execute", &json!({"cmd": "Emulation.setEmulatedMedia", "params": features}));
    }

    /// Puts an authenticator into the device (W3C Web Authentication, section 11) that keeps passkeys and finds its user
    /// at once, or never.
    pub(crate) fn add_authenticator(&self, finds_its_user: bool) -> String {
        let options = json!({"protocol": "ctap2_1", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": finds_its_user, "isUserConsenting": true});
        self.ask("/webauthn/authenticator", &options).as_str().unwrap().to_owned()
    }

    /// The passkeys an authenticator keeps.
    pub(crate) fn credentials(&self, authenticator: &str) -> Vec<Value> {
        let url = format!("{}/webauthn/authenticator/{authenticator}/credentials", self.session);
        let text = self.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// Presses a button that leads on only after the page's script has asked somebody else.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.ask(&format!("/element/{element}/click"), &json!({}));
    }

    /// Goes to an address and waits until it has loaded.
    pub(crate) fn go(&self, url: &str) {
        self.ask("/url", &json!({"url": url}));
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script returns, as text.
    pub(crate) fn text(&self, script: &str) -> String {
        self.script(script).as_str().unwrap_or_default().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Types into the first element of a selector; `\n` is the Enter key. Waits for the page this leads to.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        let leads_on = text.ends_with('\n');
        self.leave_mark();
        let keys = text.replace('\n', "\u{e007}");
        self.ask(&format!("/element/{element}/value"), &json!({"text": keys}));
        if leads_on {
            self.wait_for_new_page();
        }
    }

    /// Follows a link or presses a button, and waits for the page it leads to.
    pub(crate) fn press(&self, selector: &str) {
        let element = self.element(selector);
        self.leave_mark();
        self.ask(&format!("/element/{element}/click"), &json!({}));
        self.wait_for_new_page();
    }

    /// Waits until a script says so.
    pub(crate) fn until(&self, script: &str) {
        let begun = Instant::now();
        while self.try_script(script) != Some(Value::Bool(true)) {
            let at = self.try_script("return location.href + ' ' + document.body.textContent.slice(0, 300)");
            assert!(begun.elapsed() < Duration::from_secs(20), "{script}: not so at {at:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a script returns; none if the page went away under it.
    fn try_script(&self, script: &str) -> Option<Value> {
        let url = format!("{}/execute/sync", self.session);
        let body = json!({"script": script, "args": []}).to_string();
        let request = self.agent.post(&url).header("content-type", "application/json");
        let text = request.send(body).ok()?.body_mut().read_to_string().ok()?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        answer["value"]["error"].is_null().then(|| answer["value"].clone())
    }

    fn leave_mark(&self) {
        self.script("window.isOldPage = true");
    }

    fn wait_for_new_page(&self) {
        let begun = Instant::now();
        while self.script("return window.isOldPage === true || document.readyState !== 'complete'") == true {
            if begun.elapsed() > Duration::from_secs(20) {
                let at = self
                    .script("return `${location.href} ${document.activeElement.outerHTML.slice(0, 200)}`");
                panic!("no new page came after {at}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys one after the other, wherever the focus is: `n`, `Enter`, `Control+Enter`. How many that were.
    pub(crate) fn keys(&self, keys: &[&str]) -> usize {
        let code = |name: &str| match name {
            "Enter" => "\u{e007}".to_owned(),
            "Tab" => "\u{e004}".to_owned(),
            "Escape" => "\u{e00c}".to_owned(),
            "Down" => "\u{e015}".to_owned(),
            "Up" => "\u{e013}".to_owned(),
            "Control" => "\u{e009}".to_owned(),
            "Shift" => "\u{e008}".to_owned(),
            "Space" => " ".to_owned(),
            other => other.to_owned(),
        };
        for key in keys {
            let parts: Vec<String> = match *key {
                "+" => vec!["+".to_owned()],
                key => key.split('+').map(code).collect(),
            };
            let down = parts.iter().map(|part| json!({"type": "keyDown", "value": part}));
            let up = parts.iter().rev().map(|part| json!({"type": "keyUp", "value": part}));
            let actions: Vec<Value> = down.chain(up).collect();
            self.ask("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
        }
        keys.len()
    }

    /// Goes to something with the Tab key alone.
    pub(crate) fn reach(&self, selector: &str) {
        let is_there = format!("return document.activeElement.matches({})", json!(selector));
        for _ in 0..400 {
            if self.script(&is_there) == true {
                let seen = "const r = document.activeElement.getBoundingClientRect();
                    return r.width > 0 && r.bottom > 0 && r.top < innerHeight";
                assert_eq!(self.script(seen), true, "{selector} has the focus and is not seen");
                return;
            }
            self.keys(&["Tab"]);
        }
        panic!("the Tab key does not lead to {selector} at {}", self.text("return location.href"));
    }

    /// Types a text, key by key. How many keys that were.
    pub(crate) fn typed(&self, text: &str) -> usize {
        let keys: Vec<String> =
            text.chars().map(|c| if c == '\n' { "Enter".to_owned() } else { c.to_string() }).collect();
        self.keys(&keys.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Waits for the page that what is done leads to.
    pub(crate) fn leads_on(&self, act: impl FnOnce() -> usize) -> usize {
        self.leave_mark();
        let count = act();
        self.wait_for_new_page();
        count
    }

    /// A picture of the whole page, as PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let answer =
            self.ask("/goog/cdp/execute", &json!({"cmd": "Page.captureScreenshot", "params": params}));
        data_encoding::BASE64.decode(answer["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// What a script says that calls back (its last argument).
    pub(crate) fn later(&self, script: &str) -> Value {
        self.ask("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Cuts the network, or joins it again.
    pub(crate) fn offline(&self, is_offline: bool) {
        let conditions = json!({"network_conditions":
            {"offline": is_offline, "latency": 0, "throughput": 10_000_000}});
        self.ask("/chromium/network_conditions", &conditions);
    }

    /// Ends the browser's process as a crash would.
    pub(crate) fn crash(mut self) {
        let pid = self.driver.id().to_string();
        let _ = Command::new("pkill").args(["-KILL", "-P", &pid]).status();
        let _ = self.driver.kill();
    }

    /// Everything the browser complained of since last asked, and every address it fetched.
    pub(crate) fn complaints_and_addresses(&self) -> (Vec<String>, Vec<String>) {
        let messages = |kind: &str| match self.ask("/se/log", &json!({"type": kind})) {
            Value::Array(list) => list,
            _ => Vec::new(),
        };
        let text = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        let complaints = messages("browser").iter().map(text).collect();
        let events = messages("performance");
        let requests = events.iter().filter_map(|e| {
            let event: Value = serde_json::from_str(e["message"].as_str()?).ok()?;
            let params = &event["message"]["params"];
            (event["message"]["method"] == "Network.requestWillBeSent")
                .then(|| params["request"]["url"].as_str().unwrap_or_default().to_owned())
        });
        (complaints, requests.collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
