//! What one question may take.

use std::time::Duration;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Kind};

/// What one question may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of the answer.
    pub rows: usize,
    /// Bytes of the answer in memory.
    pub bytes: usize,
    /// Time until the answer is whole.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rows: 100_000, bytes: 256 << 20, time: Duration::from_secs(60) }
    }
}

/// A question's text has at most so many bytes.
const MOST_TEXT: usize = 64 << 10;

/// It has at most so many operators and keywords: a chain of them is as deep as it is long, and is walked in depth.
pub(crate) const MOST_OPERATORS: usize = 3000;

/// Whether a text is short enough to be looked at.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    if text.len() > MOST_TEXT {
        let said = format!("a question has at most {MOST_TEXT} bytes, this one {}", text.len());
        return Err(Error::new(Kind::TooMuch, said));
    }
    let deepens = |token: &Token| match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Comma | Token::Whitespace(_) | Token::EOF => false,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen => false,
        _ => true,
    };
    // What cannot be read as tokens is refused by the parser, with the place.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize() else { return Ok(()) };
    if tokens.iter().filter(|token| deepens(token)).count() > MOST_OPERATORS {
        let said = format!(
            "a question has at most {MOST_OPERATORS} operators and keywords; write a long chain of OR as IN (…)"
        );
        return Err(Error::new(Kind::TooMuch, said));
    }
    Ok(())
}
