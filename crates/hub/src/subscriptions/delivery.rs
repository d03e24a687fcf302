//! Bringing events to subscribers: handshake, notifications in order, heartbeats, pauses after failures.
//!
//! A few threads take what is due, one subscription at a time each; of one subscription only one thing is under way. What
//! was confirmed is kept before the next thing is begun.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::Reader;

use super::audit::audit;
use super::definition::{Channel, Content, Definition, Media, Status};
use super::email::Mail;
use super::events::Events;
use super::notification::{Notice, Occasion, Told, written};
use super::progress::Progress;
use super::rest_hook::{Call, under};
use super::{Inner, Subscribed, in_words, now};
use crate::Failure;

/// So many subscribers are called at once.
pub(super) const THREADS: usize = 8;
/// The pause after a first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(300);
/// After a status was set, or could not be, the subscription rests until it has been read again.
const REST: Duration = Duration::from_millis(250);
/// A notification of several events has at most so many bytes of resources.
const MAX_BYTES: usize = 4 << 20;
/// Where nothing is due, threads look again after so long.
const IDLE: Duration = Duration::from_secs(60);

/// What is to be done for a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    /// The handshake.
    Greet,
    /// It is asked for, and can be served.
    Activate,
    /// Notify of the events from this one on.
    Notify { from: u64 },
    /// Say that there is nothing to say.
    Heartbeat,
    /// It was asked for until now.
    End,
}

/// A task with what it takes.
struct Job {
    id: String,
    definition: Arc<Definition>,
    events: Arc<Events>,
    progress: Progress,
    task: Task,
}

/// What is to be done for a subscription, and from when on.
fn task(subscribed: &Subscribed, moment: i64) -> Option<(Task, Instant)> {
    let Subscribed { definition, events, progress, due, last_sent, .. } = subscribed;
    let is_called = definition.channel != Channel::Websocket;
    let is_to_be_greeted =
        definition.is_topic_based() && definition.channel == Channel::RestHook && !progress.is_greeted;
    match definition.status {
        Status::Error | Status::Off => None,
        _ if is_to_be_greeted => Some((Task::Greet, *due)),
        Status::Requested => Some((Task::Activate, *due)),
        Status::Active if is_called && events.count() > progress.confirmed => {
            Some((Task::Notify { from: progress.confirmed + 1 }, *due))
        }
        Status::Active if !definition.is_counting(moment) => Some((Task::End, *due)),
        Status::Active => {
            let until_end = definition.end.map(|end| {
                let left = Duration::from_micros(u64::try_from(end - moment).unwrap_or(0));
                (Task::End, Instant::now() + left.min(IDLE))
            });
            let heartbeat = definition.heartbeat.filter(|_| is_called);
            let heartbeat = heartbeat.map(|period| (Task::Heartbeat, (*last_sent + period).max(*due)));
            [until_end, heartbeat].into_iter().flatten().min_by_key(|(_, due)| *due)
        }
    }
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LAST_PAUSE)
}

impl Inner {
    /// Does what is due, until the hub stops.
    pub(super) fn deliver_until_stopped(&self) {
        while let Some(job) = self.next_job() {
            let outcome = self.carry_out(&job);
            self.settle(job, outcome);
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if self.is_stopping() {
                return None;
            }
            let (is_suspended, moment, instant) = (state.is_suspended, now(), Instant::now());
            let mut wake = instant + IDLE;
            // The one that waits longest comes first, so that nobody is passed over for ever.
            let mut first: Option<(&String, Task, Instant)> = None;
            for (id, subscribed) in state.subscribed.iter().filter(|(_, s)| !s.is_busy && !is_suspended) {
                let Some((task, due)) = task(subscribed, moment) else { continue };
                if due <= instant {
                    if first.is_none_or(|(_, _, earliest)| due < earliest) {
                        first = Some((id, task, due));
                    }
                } else {
                    wake = wake.min(due);
                }
            }
            if let Some((id, task, _)) = first {
                let id = id.clone();
                let subscribed = state.subscribed.get_mut(&id)?;
                subscribed.is_busy = true;
                return Some(Job {
                    definition: Arc::clone(&subscribed.definition),
                    events: Arc::clone(&subscribed.events),
                    progress: subscribed.progress.clone(),
                    id,
                    task,
                });
            }
            state = match self.changed.wait_timeout(state, wake.saturating_duration_since(instant)) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Does a task; the number of the last event that is confirmed by it.
    fn carry_out(&self, job: &Job) -> Result<u64, String> {
        let Job { id, definition, progress, .. } = job;
        let status = |status| match self.set_status(id, definition.version, status, None) {
            Ok(_) => Ok(progress.confirmed),
            Err(failure) => Err(in_words(&failure)),
        };
        match job.task {
            Task::Activate => status(Status::Active),
            Task::End => status(Status::Off),
            Task::Greet => self.notify(job, Occasion::Handshake, Vec::new()).map(|()| progress.confirmed),
            Task::Heartbeat => self.notify(job, Occasion::Heartbeat, Vec::new()).map(|()| progress.confirmed),
            Task::Notify { from } => {
                let most = if definition.is_topic_based() { definition.max_count } else { 1 };
                let to = from.saturating_add(most as u64 - 1);
                let events = job.events.range(from, to).map_err(|e| e.to_string())?;
                let reader = self.hub.store().reader();
                let told = events.into_iter().map(|event| Told::of(&reader, event));
                let mut told: Vec<Told> = told.collect::<Result<_, _>>().map_err(|f| in_words(&f))?;
                self.shorten(&reader, definition, &mut told).map_err(|f| in_words(&f))?;
                let to = told.last().map_or(progress.confirmed, |event| event.number);
                self.notify(job, Occasion::EventNotification, told).map(|()| to)
            }
        }
    }

    /// Leaves as many events as fit into one notification; at least one.
    pub(super) fn shorten(
        &self,
        reader: &Reader,
        definition: &Definition,
        told: &mut Vec<Told>,
    ) -> Result<(), Failure> {
        if definition.content != Content::FullResource {
            return Ok(());
        }
        let mut bytes = 0;
        for at in 0..told.len() {
            let text = told[at].resource(reader)?.and_then(|kept| kept.text);
            bytes += text.map_or(0, |(text, _)| text.len());
            if bytes > MAX_BYTES && at > 0 {
                told.truncate(at);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Notes what became of a task.
    fn settle(&self, mut job: Job, outcome: Result<u64, String>) {
        let Job { id, definition, progress, task, .. } = &mut job;
        let mut due = Instant::now();
        let is_told = matches!(task, Task::Greet | Task::Notify { .. } | Task::Heartbeat);
        match &outcome {
            Ok(confirmed) => {
                progress.confirmed = *confirmed;
                progress.failures = 0;
                progress.is_greeted |= *task == Task::Greet;
                if !is_told {
                    due += REST;
                }
            }
            Err(reason) => {
                progress.failures = progress.failures.saturating_add(1);
                tracing::debug!(subscription = id, failures = progress.failures, reason, "not delivered");
                due += pause(progress.failures);
            }
        }
        // A heartbeat that went well changes nothing that has to be kept.
        let is_news = outcome.is_err() || *task != Task::Heartbeat;
        if is_news && let Err(error) = self.folder.keep_progress(id, progress) {
            tracing::error!(subscription = id, %error, "what was delivered could not be kept; it may be delivered again");
        }
        if let Err(reason) = &outcome
            && progress.failures > self.retries
            && is_told
        {
            let message = format!("given up after {} attempts: {reason}", progress.failures);
            if let Err(failure) = self.set_status(id, definition.version, Status::Error, Some(&message)) {
                tracing::warn!(subscription = id, reason = in_words(&failure), "its status could not be set");
            }
        }
        let mut state = self.state();
        if let Some(subscribed) = state.subscribed.get_mut(id) {
            subscribed.is_busy = false;
            subscribed.progress.confirmed = progress.confirmed;
            if outcome.is_ok() && is_told {
                subscribed.last_sent = Instant::now();
            }
            // Asked for anew in the meantime: then it begins anew.
            if subscribed.definition.version == definition.version {
                subscribed.progress = progress.clone();
                subscribed.due = due;
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Sends a notification, and waits until it is taken.
    fn notify(&self, job: &Job, occasion: Occasion, told: Vec<Told>) -> Result<(), String> {
        let Job { definition, .. } = job;
        self.hub.subscription_rules.check(definition).map_err(|issue| issue.diagnostics)?;
        let reader = self.hub.store().reader();
        let in_words = |failure: Failure| in_words(&failure);
        let content = match (definition.is_topic_based(), definition.media) {
            (true, _) => definition.content,
            (false, Some(_)) => Content::FullResource,
            (false, None) => Content::Empty,
        };
        audit(&self.hub, &reader, &job.id, &definition.endpoint, content, &told).map_err(in_words)?;
        let key = key(&job.id, &told);
        let call = |method, key| Call {
            method,
            url: definition.endpoint.clone(),
            headers: &definition.headers,
            number: None,
            key,
            body: None,
            timeout: definition.timeout,
        };
        match definition.channel {
            Channel::RestHook if definition.is_topic_based() => {
                let media = definition.media.unwrap_or(Media::Json);
                let content = self.bundle(&reader, job, occasion, &told).map_err(in_words)?;
                let call = Call { body: Some((media.media_type(), content)), ..call("POST", key) };
                self.caller.call(call)
            }
            Channel::RestHook => {
                let Some(event) = told.first() else { return Ok(()) };
                let resource = match definition.media {
                    Some(_) => event.resource(&reader).map_err(in_words)?,
                    None => None,
                };
                let number = Some(event.number);
                match (resource, definition.media) {
                    (Some(kept), Some(media)) => {
                        let content = written(kept.json(), media, &self.hub.limits).map_err(in_words)?;
                        let url = under(&definition.endpoint, &event.name());
                        let body = Some((media.media_type(), content));
                        self.caller.call(Call { url, body, number, ..call("PUT", key) })
                    }
                    _ => self.caller.call(Call { number, ..call("POST", key) }),
                }
            }
            Channel::Email => self.mail(&reader, job, occasion, &told),
            Channel::Websocket => Ok(()),
        }
    }

    fn bundle(
        &self,
        reader: &Reader,
        job: &Job,
        occasion: Occasion,
        told: &[Told],
    ) -> Result<String, Failure> {
        let Job { definition, progress, .. } = job;
        let notice = Notice {
            base: &self.base,
            id: &job.id,
            topic: definition.topic.as_deref(),
            status: definition.status.code(),
            occasion,
            count: told.last().map_or(progress.confirmed, |e| e.number),
            error: None,
        };
        let json = notice.bundle(reader, told, definition.content, &self.hub.new_id(), now())?;
        written(json, definition.media.unwrap_or(Media::Json), &self.hub.limits)
    }

    fn mail(&self, reader: &Reader, job: &Job, occasion: Occasion, told: &[Told]) -> Result<(), String> {
        let Job { id, definition, .. } = job;
        let mailer = self.hub.subscription_rules.mailer.as_ref().ok_or("this hub sends no email")?;
        let in_words = |failure: Failure| in_words(&failure);
        let number = told.last().map_or(0, |e| e.number);
        let media = definition.media.unwrap_or(Media::Json);
        let content = if definition.is_topic_based() {
            Some(self.bundle(reader, job, occasion, told).map_err(in_words)?)
        } else {
            let resource = match (told.first(), definition.media) {
                (Some(event), Some(_)) => event.resource(reader).map_err(in_words)?,
                _ => None,
            };
            resource.map(|k| written(k.json(), media, &self.hub.limits)).transpose().map_err(in_words)?
        };
        let file = if media == Media::Json { "notification.json" } else { "notification.xml" };
        let subject = definition.headers.first().map(|(_, subject)| subject.clone());
        let mut text = format!("Subscription/{id} at {}\r\n", self.base);
        for event in told {
            text.push_str(&format!("event {}", event.number));
            if definition.content != Content::Empty
                && (definition.is_topic_based() || definition.media.is_some())
            {
                text.push_str(&format!(": {}/{}", self.base, event.name()));
            }
            text.push_str("\r\n");
        }
        mailer.send(Mail {
            to: definition.endpoint.strip_prefix("mailto:").unwrap_or(&definition.endpoint),
            id: match number {
                0 => self.hub.new_id(),
                number => format!("{id}.{number}"),
            },
            subject: subject.unwrap_or_else(|| format!("Subscription {id}: event {number}")),
            text,
            attachment: content.map(|content| (file.to_owned(), media.media_type(), content)),
            timeout: definition.timeout,
        })
    }
}

/// What a notification is called among all of the hub: the same if it is sent again. One that is sent again with further
/// events is another one, or a subscriber that goes by the name would miss them.
fn key(id: &str, told: &[Told]) -> Option<String> {
    Some(match (told.first()?.number, told.last()?.number) {
        (first, last) if first == last => format!("Subscription/{id}/{first}"),
        (first, last) => format!("Subscription/{id}/{first}-{last}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(pause(1), FIRST_PAUSE);
        assert_eq!(pause(3), FIRST_PAUSE * 4);
        assert_eq!(pause(40), LAST_PAUSE);
    }
}
