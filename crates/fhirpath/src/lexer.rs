//! The tokens of FHIRPath.

use crate::error::Error;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// An identifier; `true` if it was delimited by backticks.
    Name(String, bool),
    String(String),
    Number(String),
    /// `@2015-02-07`, without the `@`.
    Date(String),
    /// `@2015-02-07T…`, without the `@`.
    DateTime(String),
    /// `@T12:00`, without `@T`.
    Time(String),
    /// `$this`, without `$`.
    Dollar(String),
    /// `%resource`, without `%`.
    Percent(String),
    Symbol(&'static str),
    End,
}

const SYMBOLS: &[&str] = &[
    "<=", ">=", "!=", "!~", "<", ">", "=", "~", "|", "&", "+", "-", "*", "/", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// Tokens with the byte each begins at; at most `limit` of them.
pub(crate) fn tokens(text: &str, limit: usize) -> Result<Vec<(usize, Token)>, Error> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_space()?;
        let at = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        if found.len() >= limit {
            return Err(Error::at(
                at,
                format!("the expression has more than {limit} words and signs; make it shorter"),
            ));
        }
        found.push((at, token));
        if is_end {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let end =
                    comment.find("*/").ok_or_else(|| Error::at(self.at, "this comment is not closed"))?;
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        let taken = rest[..end].to_owned();
        self.at += end;
        taken
    }

    fn token(&mut self) -> Result<Token, Error> {
        let Some(first) = self.rest().chars().next() else { return Ok(Token::End) };
        match first {
            'a'..='z' | 'A'..='Z' | '_' => Ok(Token::Name(self.take_while(is_name), false)),
            '0'..='9' => Ok(Token::Number(self.number())),
            '\'' => Ok(Token::String(self.quoted('\'')?)),
            '`' => Ok(Token::Name(self.quoted('`')?, true)),
            '@' => self.moment(),
            '$' => {
                self.at += 1;
                Ok(Token::Dollar(self.take_while(is_name)))
            }
            '%' => {
                self.at += 1;
                let name = match self.rest().chars().next() {
                    Some('`') => self.quoted('`')?,
                    Some('\'') => self.quoted('\'')?,
                    _ => self.take_while(|c| is_name(c) || c == '-'),
                };
                Ok(Token::Percent(name))
            }
            other => {
                let symbol = SYMBOLS.iter().find(|s| self.rest().starts_with(**s));
                let symbol =
                    symbol.ok_or_else(|| Error::at(self.at, format!("'{other}' has no meaning here")))?;
                self.at += symbol.len();
                Ok(Token::Symbol(symbol))
            }
        }
    }

    fn number(&mut self) -> String {
        let mut number = self.take_while(|c| c.is_ascii_digit());
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            number.push('.');
            number.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        number
    }

    fn moment(&mut self) -> Result<Token, Error> {
        let start = self.at;
        self.at += 1;
        if self.rest().starts_with('T') {
            self.at += 1;
            return Ok(Token::Time(self.clock()));
        }
        let date = self.take_while(|c| c.is_ascii_digit() || c == '-');
        if date.is_empty() {
            return Err(Error::at(start, "after '@' comes a date, or T and a time"));
        }
        if !self.rest().starts_with('T') {
            return Ok(Token::Date(date));
        }
        self.at += 1;
        let time = self.clock();
        let mut zone = String::new();
        if self.rest().starts_with('Z') {
            zone.push('Z');
            self.at += 1;
        } else if !time.is_empty() && self.rest().starts_with(['+', '-']) {
            // A sign belongs to the zone only if one follows: hh:mm.
            let bytes = self.rest().as_bytes();
            let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            if digit(1) && digit(2) && bytes.get(3) == Some(&b':') && digit(4) && digit(5) {
                zone.push_str(&self.rest()[..6]);
                self.at += 6;
            }
        }
        Ok(Token::DateTime(format!("{date}T{time}{zone}")))
    }

    /// `hh:mm:ss.f…` as far as it goes; a point that no digit follows is not part of it.
    fn clock(&mut self) -> String {
        let mut clock = self.take_while(|c| c.is_ascii_digit() || c == ':');
        let bytes = self.rest().as_bytes();
        if bytes.first() == Some(&b'.') && bytes.get(1).is_some_and(u8::is_ascii_digit) && clock.len() == 8 {
            self.at += 1;
            clock.push('.');
            clock.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        clock
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut characters = self.text[self.at..].char_indices();
        while let Some((offset, c)) = characters.next() {
            if c == quote {
                self.at += offset + 1;
                return Ok(out);
            }
            if c != '\\' {
                out.push(c);
                continue;
            }
            let Some((_, escaped)) = characters.next() else { break };
            let decoded = match escaped {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = (0..4).filter_map(|_| characters.next().map(|(_, c)| c)).collect();
                    u32::from_str_radix(&digits, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .ok_or_else(|| Error::at(start, "\\u needs four hexadecimal digits"))?
                }
                '\'' | '"' | '`' | '\\' | '/' => escaped,
                // N1 knows no other escape; R4's own rules write '\.' and mean the two characters.
                other => {
                    out.push('\\');
                    other
                }
            };
            out.push(decoded);
        }
        Err(Error::at(start, "this text is not closed"))
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
