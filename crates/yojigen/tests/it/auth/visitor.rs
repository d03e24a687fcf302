//! A browser without a window: cookies, forms.

use crate::hub::{Answer, agent, try_send};

pub(crate) struct Visitor {
    agent: ureq::Agent,
    root: String,
    cookies: Vec<(String, String)>,
}

fn encoded(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if is_plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub(crate) fn written<A: AsRef<str>, B: AsRef<str>>(pairs: &[(A, B)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(n, v)| format!("{}={}", n.as_ref(), encoded(v.as_ref()))).collect();
    pairs.join("&")
}

/// The value of a field of a page.
pub(crate) fn field(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    let value = rest.split('"').next().unwrap();
    Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&#61;", "=").replace("&#34;", "\""))
}

/// All values of a field of a page.
pub(crate) fn fields(page: &str, name: &str) -> Vec<String> {
    let mark = format!("name=\"{name}\" value=\"");
    let parts = page.split(mark.as_str()).skip(1);
    parts.map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")).collect()
}

impl Visitor {
    pub(crate) fn new(root: &str) -> Visitor {
        Visitor::by(agent(), root)
    }

    /// By a client of its own.
    pub(crate) fn by(agent: ureq::Agent, root: &str) -> Visitor {
        Visitor { agent, root: root.to_owned(), cookies: Vec::new() }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let cookies = cookies.join("; ");
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let send = || try_send(&self.agent, "", method, &format!("{}{path}", self.root), &all, body);
        // A connection that is closed after a refusal may be taken for a further request before that is noticed.
        let answer = send().or_else(|_| send()).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        for (name, value) in &answer.headers {
            if name == "set-cookie" {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.retain(|(n, _)| n != name);
                if !value.is_empty() {
                    self.cookies.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        answer
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn form<A: AsRef<str>, B: AsRef<str>>(&mut self, path: &str, pairs: &[(A, B)]) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &headers, &written(pairs))
    }

    /// Fills the sign-in form in.
    pub(crate) fn sign_in(&mut self, login: &str, password: &str, place: &str) -> Answer {
        let page = self.get(&format!("/auth/sign-in?return={}", encoded(place)));
        assert_eq!(page.status, 200);
        let form = field(&page.body, "form").unwrap();
        let place = field(&page.body, "return").unwrap();
        self.form(
            "/auth/sign-in",
            &[("form", &*form), ("return", &*place), ("login", login), ("password", password)],
        )
    }

    /// Asks for an app, and answers the question it leads to: where the browser is sent.
    pub(crate) fn allow(&mut self, request: &[(String, String)], further: &[(&str, &str)]) -> String {
        let page = self.get(&format!("/auth/authorize?{}", written(request)));
        if let Some(place) = page.header("location") {
            return place.to_owned();
        }
        assert_eq!(page.status, 200, "{}", page.body);
        let mut pairs = vec![
            ("form".to_owned(), field(&page.body, "form").unwrap()),
            ("request".to_owned(), field(&page.body, "request").unwrap()),
            ("decision".to_owned(), "allow".to_owned()),
        ];
        pairs.extend(fields(&page.body, "scope").into_iter().map(|scope| ("scope".to_owned(), scope)));
        pairs.extend(further.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let answer = self.form("/auth/consent", &pairs);
        answer.header("location").unwrap_or_else(|| panic!("{} {}", answer.status, answer.body)).to_owned()
    }
}
