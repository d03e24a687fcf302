//! The walk along the log: entries in order, each held against the subscriptions as they were before it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fhir::r4;
use store::layout::log::{Command, Content};
use store::{HistoryRange, Kept, Place, Reader};

use super::definition::{Definition, Status, status_of};
use super::events::Events;
use super::selection::{Change, Kind};
use super::{Inner, Subscribed, failed, in_words, subscription_type};
use crate::Failure;

/// Others see how far the feed has come after so many entries at the latest.
const STEP: u64 = 500;
/// The position is kept this often while something happens.
const KEPT_EVERY: Duration = Duration::from_secs(2);
/// Even unheard, the feed looks for new entries this often.
const PAUSE: Duration = Duration::from_secs(1);
/// Where nobody is subscribed it only waits to be rung.
const LONG_PAUSE: Duration = Duration::from_secs(600);
/// After a failure the feed rests.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// More subscriptions are not served at once.
const MAX_SUBSCRIPTIONS: usize = 1000;

/// A subscription the feed holds changes against.
struct Watched {
    definition: Arc<Definition>,
    events: Arc<Events>,
}

/// A status a subscription is to get.
struct Verdict {
    id: String,
    version: u64,
    reason: String,
}

/// The feed.
pub(super) struct Feed {
    inner: Arc<Inner>,
    /// The last entry seen.
    at: Place,
    watched: Vec<Watched>,
    verdicts: Vec<Verdict>,
    /// The position kept last, and when.
    kept: (Place, Instant),
    /// The working state was lost: events up to this entry are worked out anew, and nobody is called meanwhile.
    lost_until: Option<Place>,
}

impl Feed {
    /// The feed where it stopped. Where no position was kept, it begins with the first subscription there ever was.
    pub(super) fn open(inner: &Arc<Inner>) -> Result<Feed, Failure> {
        let reader = inner.hub.store().reader();
        let kept = inner.folder.position().map_err(|e| failed(&e))?.filter(|p| *p <= reader.place());
        let mut feed = Feed {
            inner: Arc::clone(inner),
            at: kept.unwrap_or_default(),
            watched: Vec::new(),
            verdicts: Vec::new(),
            kept: (kept.unwrap_or_default(), Instant::now()),
            lost_until: None,
        };
        if kept.is_none() {
            feed.at = feed.first_subscription_after(&reader, Place(0))?;
            if feed.at < reader.place() {
                tracing::warn!(
                    "how far subscribers have come is not known; their events are worked out anew"
                );
                inner.folder.clear().map_err(|e| failed(&e))?;
                feed.lost_until = Some(reader.place());
                inner.state().is_suspended = true;
            } else {
                feed.keep_position()?;
            }
        }
        let mut ids = Vec::new();
        reader.each_of_type(subscription_type(), Some(feed.at), |kept| {
            ids.push(kept.id);
            true
        })?;
        for id in ids {
            feed.register(&reader, feed.at, &id)?;
        }
        inner.state().at = feed.at;
        Ok(feed)
    }

    /// Walks until the hub stops.
    pub(super) fn run(mut self) {
        while !self.inner.is_stopping() {
            let pause = match self.walk() {
                Ok(()) if self.watched.is_empty() => LONG_PAUSE,
                Ok(()) => PAUSE,
                Err(failure) => {
                    let reason = in_words(&failure);
                    tracing::error!(reason, at = self.at.0, "the feed of subscriptions rests for a moment");
                    AFTER_FAILURE
                }
            };
            self.judge();
            if self.kept.1.elapsed() > KEPT_EVERY
                && let Err(failure) = self.keep_position()
            {
                tracing::warn!(reason = in_words(&failure), "the position of the feed could not be kept");
            }
            if !self.is_behind() {
                self.inner.hub.bell.wait(pause);
            }
        }
        if let Err(failure) = self.keep_position() {
            tracing::warn!(reason = in_words(&failure), "the position of the feed could not be kept");
        }
    }

    fn is_behind(&self) -> bool {
        !self.watched.is_empty() && self.inner.hub.store().reader().place() > self.at
    }

    fn walk(&mut self) -> Result<(), Failure> {
        self.inner.hub.bell.listen(!self.watched.is_empty());
        let reader = self.inner.hub.store().reader();
        while self.at < reader.place() && !self.inner.is_stopping() {
            if self.watched.is_empty() && self.lost_until.is_none() {
                self.at = self.first_subscription_after(&reader, self.at)?;
            }
            let until = Place(reader.place().0.min(self.at.0 + STEP));
            let mut news = Vec::new();
            let walked = self.walk_to(&reader, until, &mut news);
            self.inner.state().at = self.at;
            self.inner.changed.notify_all();
            news.sort_unstable();
            news.dedup();
            for id in news {
                self.inner.tell(&id);
            }
            walked?;
        }
        if self.lost_until.is_some_and(|until| self.at >= until) {
            self.begin_anew()?;
        }
        Ok(())
    }

    fn walk_to(&mut self, reader: &Reader, until: Place, news: &mut Vec<String>) -> Result<(), Failure> {
        while self.at < until {
            let place = Place(self.at.0 + 1);
            let entry = reader.entry(place)?;
            if let Content::Transaction(commands) = &entry.content {
                self.hold(reader, place, entry.instant, commands, news)?;
                let own = r4().resource_number(subscription_type());
                for command in commands.iter().filter(|c| Some(c.type_number) == own) {
                    let id = command.id.unpack();
                    self.register(reader, place, &id)?;
                    news.push(id);
                }
            }
            self.at = place;
        }
        Ok(())
    }

    /// Holds the changes of an entry against the subscriptions.
    fn hold(
        &mut self,
        reader: &Reader,
        place: Place,
        instant: i64,
        commands: &[Command],
        news: &mut Vec<String>,
    ) -> Result<(), Failure> {
        for watched in &self.watched {
            let Watched { definition, events } = watched;
            if !definition.is_counting(instant) {
                continue;
            }
            let mut found = Vec::new();
            for (index, command) in commands.iter().enumerate() {
                let Some(resource_type) = r4().resource_numbered(command.type_number) else { continue };
                if !definition.selection.concerns(resource_type) {
                    continue;
                }
                let id = command.id.unpack();
                let Some(kind) = Kind::of(command.operation) else { continue };
                let rows = self.inner.hub.search_limits.rows;
                let change = Change { reader, place, resource_type, id: &id, kind, rows };
                match definition.selection.fires(&change) {
                    Ok(false) => {}
                    Ok(true) => found.push(u32::try_from(index).unwrap_or(u32::MAX)),
                    Err(store::Failure::Store(error)) => return Err(error.into()),
                    Err(store::Failure::Query(issue)) => {
                        let (id, version) = (definition.id.clone(), definition.version);
                        let reason = format!("a change could not be held against the criteria: {issue}");
                        if self.verdicts.iter().all(|v| v.id != id) {
                            self.verdicts.push(Verdict { id, version, reason });
                        }
                    }
                }
            }
            if found.is_empty() {
                continue;
            }
            // What was added before a failure in the midst of an entry is not added again.
            let last = events.last().map_err(|e| failed(&e))?.map(|e| (e.place, e.index));
            for index in found.into_iter().filter(|index| last < Some((place, *index))) {
                events.add(place, index).map_err(|e| failed(&e))?;
            }
            news.push(definition.id.clone());
        }
        Ok(())
    }

    /// Takes note of a Subscription as an entry left it.
    fn register(&mut self, reader: &Reader, place: Place, id: &str) -> Result<(), Failure> {
        self.watched.retain(|w| w.definition.id != id);
        let kept = reader.read(subscription_type(), id, Some(place))?.filter(|k| k.text.is_some());
        let read = kept.map(|kept| self.read(&kept)).transpose()?.flatten();
        let Some(definition) = read else {
            self.inner.state().subscribed.remove(id);
            return Ok(());
        };
        if definition.status.is_wanted()
            && let Err(issue) = self.inner.hub.subscription_rules.check(&definition)
        {
            self.refuse(id, definition.version, issue.to_string());
        }
        self.subscribe(definition, place)?;
        self.inner.start_pool();
        self.inner.hub.bell.listen(true);
        Ok(())
    }

    /// A Subscription that is served or may be again, understood.
    fn read(&mut self, kept: &Kept) -> Result<Option<Arc<Definition>>, Failure> {
        let resource = fhir::json::parse(kept.json().as_bytes(), &self.inner.hub.limits)?;
        let definition = match Definition::read(&self.inner.hub, resource.root()) {
            Ok(definition) => definition,
            Err(failure) => {
                if status_of(resource.root()).is_none_or(Status::is_wanted) {
                    self.refuse(&kept.id, kept.version, in_words(&failure));
                }
                return Ok(None);
            }
        };
        if definition.status == Status::Off {
            return Ok(None);
        }
        if self.watched.len() >= MAX_SUBSCRIPTIONS {
            let reason = format!("this hub serves {MAX_SUBSCRIPTIONS} subscriptions at once, and it does");
            self.refuse(&kept.id, kept.version, reason);
            return Ok(None);
        }
        Ok(Some(Arc::new(definition)))
    }

    fn subscribe(&mut self, definition: Arc<Definition>, place: Place) -> Result<(), Failure> {
        let id = definition.id.clone();
        let mut state = self.inner.state();
        if !state.subscribed.contains_key(&id) {
            let path = self.inner.folder.events(&id).map_err(|e| failed(&e))?;
            let events = Arc::new(Events::open(&path, place).map_err(|e| failed(&e))?);
            let progress = self.inner.folder.progress(&id).map_err(|e| failed(&e))?;
            let definition = Arc::clone(&definition);
            let (is_busy, due, last_sent) = (false, Instant::now(), Instant::now());
            let new = Subscribed { definition, events, progress, is_busy, due, last_sent };
            state.subscribed.insert(id.clone(), new);
        }
        if let Some(subscribed) = state.subscribed.get_mut(&id) {
            if definition.status == Status::Requested {
                subscribed.progress.failures = 0;
                subscribed.progress.is_greeted = false;
            }
            subscribed.definition = Arc::clone(&definition);
            subscribed.due = Instant::now();
            self.watched.push(Watched { definition, events: Arc::clone(&subscribed.events) });
        }
        Ok(())
    }

    fn refuse(&mut self, id: &str, version: u64, reason: String) {
        self.verdicts.push(Verdict { id: id.to_owned(), version, reason });
    }

    /// Gives subscriptions that cannot be served the status `error`.
    fn judge(&mut self) {
        if self.lost_until.is_some() {
            return;
        }
        for verdict in std::mem::take(&mut self.verdicts) {
            let Verdict { id, version, reason } = &verdict;
            if let Err(failure) = self.inner.set_status(id, *version, Status::Error, Some(reason)) {
                tracing::warn!(subscription = id, reason = in_words(&failure), "its status could not be set");
                self.verdicts.push(verdict);
            }
        }
    }

    /// Ends the working out of lost events: what the numbers are is known again, what was delivered is not. Sending years
    /// of events anew would be as wrong as leaving some out unsaid, so each subscription says what happened.
    fn begin_anew(&mut self) -> Result<(), Failure> {
        self.lost_until = None;
        let mut state = self.inner.state();
        for (id, subscribed) in &mut state.subscribed {
            let count = subscribed.events.count();
            subscribed.progress.confirmed = count;
            self.inner.folder.keep_progress(id, &subscribed.progress).map_err(|e| failed(&e))?;
            if subscribed.definition.status.is_wanted() {
                let (id, version) = (id.clone(), subscribed.definition.version);
                let reason = format!(
                    "this hub was restored, or lost its working state, and does not know which of the {count} events so far were delivered; set status to requested to go on after them, and ask $events for those you miss"
                );
                self.verdicts.push(Verdict { id, version, reason });
            }
        }
        drop(state);
        self.keep_position()?;
        self.judge();
        self.inner.state().is_suspended = false;
        self.inner.changed.notify_all();
        Ok(())
    }

    /// Keeps how far the feed has come, after the events before it are on the disk.
    fn keep_position(&mut self) -> Result<(), Failure> {
        if self.lost_until.is_some() {
            return Ok(());
        }
        self.kept.1 = Instant::now();
        if self.kept.0 == self.at && self.at != Place(0) {
            return Ok(());
        }
        for watched in &self.watched {
            watched.events.sync().map_err(|e| failed(&e))?;
        }
        self.inner.folder.keep_position(self.at).map_err(|e| failed(&e))?;
        self.kept.0 = self.at;
        Ok(())
    }

    /// The place before the first version of a Subscription after a place; the end if there is none.
    fn first_subscription_after(&self, reader: &Reader, at: Place) -> Result<Place, Failure> {
        let mut first = None;
        let mut range = HistoryRange { limit: 1000, ..HistoryRange::default() };
        loop {
            let versions = reader.type_history(subscription_type(), &range)?;
            let later = versions.iter().take_while(|v| v.place > at).last();
            first = later.map(|v| v.place).or(first);
            match versions.last() {
                Some(last) if last.place > at && versions.len() == range.limit => {
                    range.after = Some((last.place, last.index));
                }
                _ => break,
            }
        }
        Ok(first.map_or(reader.place(), |place| Place(place.0 - 1)))
    }
}

impl Inner {
    /// Starts the threads that deliver, when the first subscription comes.
    fn start_pool(self: &Arc<Inner>) {
        if self.has_pool.swap(true, Ordering::SeqCst) {
            return;
        }
        for number in 0..super::delivery::THREADS {
            let inner = Arc::clone(self);
            let thread = std::thread::Builder::new().name(format!("subscriber{number}"));
            if let Err(error) = thread.spawn(move || inner.deliver_until_stopped()) {
                tracing::error!(%error, "a thread for subscribers could not be started");
            }
        }
    }
}
