//! Why something was not done, in the terms every door understands.

use fhir::{Issue, IssueType};
use store::{Error, Reason, Rejection};

/// What kind of failure it is; each has one HTTP status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What was sent does not read, or contradicts itself: 400.
    Invalid,
    /// Nobody is signed in: 401.
    LoginRequired,
    /// Whoever is signed in may not do this: 403.
    Forbidden,
    /// There is no such thing: 404.
    NotFound,
    /// There is no such interaction here: 405.
    NotAllowed,
    /// No form the client takes: 406.
    NotAcceptable,
    /// The client stopped sending: 408.
    Timeout,
    /// What is asked contradicts what is there: 409.
    Conflict,
    /// There was such a thing: 410.
    Gone,
    /// A condition does not hold: 412.
    PreconditionFailed,
    /// What was sent is too large: 413.
    TooLarge,
    /// What was sent is in a form that is not read here: 415.
    UnsupportedMediaType,
    /// There is no such part: 416.
    RangeNotSatisfiable,
    /// What was asked for costs too much: 422.
    TooCostly,
    /// What was sent reads, and cannot be done: 422.
    Unprocessable,
    /// This is not available here: 501.
    NotSupported,
    /// The hub is stopping or overloaded: 503.
    Unavailable,
    /// The disk is full: 507.
    StorageFull,
    /// The hub failed: 500.
    Internal,
}

impl Kind {
    /// Its HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Kind::Invalid => 400,
            Kind::LoginRequired => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::NotAllowed => 405,
            Kind::NotAcceptable => 406,
            Kind::Timeout => 408,
            Kind::Conflict => 409,
            Kind::Gone => 410,
            Kind::PreconditionFailed => 412,
            Kind::TooLarge => 413,
            Kind::UnsupportedMediaType => 415,
            Kind::RangeNotSatisfiable => 416,
            Kind::TooCostly | Kind::Unprocessable => 422,
            Kind::NotSupported => 501,
            Kind::Unavailable => 503,
            Kind::StorageFull => 507,
            Kind::Internal => 500,
        }
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// In detail; at least one.
    pub issues: Vec<Issue>,
    /// For a deleted resource, the version that ended it.
    pub version: Option<u64>,
}

impl Failure {
    /// A failure with one issue.
    #[must_use]
    pub fn new(kind: Kind, code: IssueType, diagnostics: impl Into<String>) -> Failure {
        Failure { kind, issues: vec![Issue::error(code, diagnostics)], version: None }
    }

    /// Text that was sent does not read.
    #[must_use]
    pub fn invalid(issues: Vec<Issue>) -> Failure {
        let is_long = issues.iter().any(|i| i.code == IssueType::TooLong && i.expression.is_empty());
        Failure { kind: if is_long { Kind::TooLarge } else { Kind::Invalid }, issues, version: None }
    }

    /// Its issues moved under a place, `Bundle.entry[3]`.
    #[must_use]
    pub fn under(mut self, place: &str) -> Failure {
        for issue in &mut self.issues {
            let inner = std::mem::take(&mut issue.expression);
            issue.expression = if inner.is_empty() { place.to_owned() } else { format!("{place}.{inner}") };
        }
        self
    }
}

impl From<Issue> for Failure {
    fn from(issue: Issue) -> Failure {
        let kind = match issue.code {
            IssueType::TooCostly => Kind::TooCostly,
            IssueType::NotSupported => Kind::Invalid,
            _ => Kind::Invalid,
        };
        Failure { kind, issues: vec![issue], version: None }
    }
}

impl From<Vec<Issue>> for Failure {
    fn from(issues: Vec<Issue>) -> Failure {
        Failure::invalid(issues)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let (kind, code) = match error {
            Error::DiskFull => (Kind::StorageFull, IssueType::NoStore),
            Error::Stopped => (Kind::Unavailable, IssueType::Timeout),
            _ => (Kind::Internal, IssueType::Exception),
        };
        Failure::new(kind, code, error.to_string())
    }
}

impl From<store::Failure> for Failure {
    fn from(failure: store::Failure) -> Failure {
        match failure {
            store::Failure::Store(error) => error.into(),
            store::Failure::Query(issue) => issue.into(),
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Failure {
        match rejection {
            Rejection::Store(error) => error.into(),
            Rejection::Command { reason, issue, .. } => {
                let kind = match reason {
                    Reason::VersionConflict | Reason::PreconditionFailed | Reason::MultipleMatches => {
                        Kind::PreconditionFailed
                    }
                    Reason::Invalid => Kind::Invalid,
                    Reason::Moved => Kind::Conflict,
                    Reason::Forbidden => Kind::Forbidden,
                    Reason::NoChoiceOfIds => Kind::NotAllowed,
                    Reason::BrokenReference if issue.code == IssueType::Conflict => Kind::Conflict,
                    Reason::BrokenReference => Kind::Unprocessable,
                };
                Failure { kind, issues: vec![issue], version: None }
            }
        }
    }
}
