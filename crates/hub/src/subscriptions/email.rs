//! The channel email: a message through the operator's relay.
//!
//! The message's id is made of the subscription and the event's number, so that a message repeated after a crash is the
//! same message to whoever receives it.

use std::fmt;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message, SmtpTransport, Transport as _};

/// What sends email.
#[derive(Clone)]
pub(crate) struct Mailer {
    relay: String,
    sender: Mailbox,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The relay's URL may carry a password.
        f.debug_struct("Mailer").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// A message.
pub(crate) struct Mail<'a> {
    /// The address.
    pub(crate) to: &'a str,
    /// The part of the message's id before `@`.
    pub(crate) id: String,
    /// The subject.
    pub(crate) subject: String,
    /// What it says.
    pub(crate) text: String,
    /// What is attached: name, media type, content.
    pub(crate) attachment: Option<(String, &'static str, String)>,
    /// How long sending it may take.
    pub(crate) timeout: Duration,
}

impl Mailer {
    /// A mailer on a relay.
    ///
    /// # Errors
    /// What does not read; the relay's URL is not repeated.
    pub(crate) fn new(relay: &str, sender: &str) -> Result<Mailer, String> {
        let message = "the relay does not read: write smtp://host:port, smtps://user:password@host or smtp://user:password@host:587?tls=required";
        SmtpTransport::from_url(relay).map_err(|_| message.to_owned())?;
        let sender: Mailbox =
            sender.parse().map_err(|e| format!("'{sender}' is not the address of a sender: {e}"))?;
        Ok(Mailer { relay: relay.to_owned(), sender })
    }

    /// Reads an address.
    ///
    /// # Errors
    /// Text that is none.
    pub(crate) fn address(text: &str) -> Result<Address, String> {
        text.parse().map_err(|e| format!("'{text}' is not an address of email: {e}"))
    }

    /// Sends a message; the relay has taken it when this ends well.
    ///
    /// # Errors
    /// Why the relay did not.
    pub(crate) fn send(&self, mail: Mail<'_>) -> Result<(), String> {
        let domain = self.sender.email.domain();
        let builder = Message::builder()
            .from(self.sender.clone())
            .to(Mailbox::new(None, Mailer::address(mail.to)?))
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .subject(mail.subject);
        let text = SinglePart::plain(mail.text);
        let message = match mail.attachment {
            None => builder.singlepart(text),
            Some((name, media_type, content)) => {
                let media_type = ContentType::parse(media_type).unwrap_or(ContentType::TEXT_PLAIN);
                let attached = Attachment::new(name).body(content, media_type);
                builder.multipart(MultiPart::mixed().singlepart(text).singlepart(attached))
            }
        };
        let message = message.map_err(|e| format!("the message could not be made: {e}"))?;
        let relay = SmtpTransport::from_url(&self.relay).map_err(|_| "the relay does not read".to_owned())?;
        let sent = relay.timeout(Some(mail.timeout)).build().send(&message);
        sent.map(|_| ()).map_err(|e| format!("the mail relay: {e}"))
    }
}
