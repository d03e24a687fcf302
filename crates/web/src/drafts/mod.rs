//! Drafts: what is being written and not signed yet.
//!
//! Working state, outside history and log: each draft is a file in the folder `drafts` beside the data, under the person
//! it is about, replaced whole with every keystroke that reaches the hub, and gone when it is signed, or not touched for
//! thirty days; one that was thrown away is in no list until then. In a hub that is encrypted its drafts are too.
//!
//! Several may write one draft at once. Whoever saves says what they began from; if others saved meanwhile, both are
//! merged line by line, and where they changed the same lines nothing is stored over the other: both are kept, and the
//! one who saves chooses.

mod merge;
mod presence;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sealing::FileKey;
use sealing::stream::{Opener, Sealer};
use serde::{Deserialize, Serialize};

pub(crate) use self::merge::Merged;
use self::presence::Presences;
pub(crate) use self::presence::Present;

/// A draft that is not touched so long goes.
const LASTS: u64 = 30 * 24 * 3600;
/// Bytes of a draft's fields together.
pub(crate) const LARGEST: usize = 512 << 10;
/// Drafts about one person, and texts kept beside one.
const MOST_OF_PERSON: usize = 200;
const MOST_KEPT: usize = 20;
/// What a draft's file is, to those who read it sealed.
const PURPOSE: &str = "a draft";

/// Fields by name.
pub(crate) type Fields = BTreeMap<String, String>;

/// What somebody wrote that could not be merged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Whose.
    pub(crate) by: String,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    /// What.
    pub(crate) fields: Fields,
}

/// A draft.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) id: String,
    /// The Patient it is about.
    pub(crate) patient: String,
    /// What is being written.
    pub(crate) kind: String,
    /// Who began it, and their name.
    pub(crate) author: String,
    pub(crate) name: String,
    /// Who saved it last.
    pub(crate) last: String,
    pub(crate) begun: u64,
    pub(crate) saved: u64,
    /// Counts up with each save.
    pub(crate) revision: u64,
    pub(crate) fields: Fields,
    #[serde(default)]
    pub(crate) kept: Vec<Kept>,
    /// The window that saved it last, by a name of its own.
    #[serde(default)]
    pub(crate) window: String,
    /// Whether it was thrown away; it can be brought back until it goes.
    #[serde(default)]
    pub(crate) is_thrown: bool,
}

/// Who writes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// The user's id; empty in an open hub.
    pub(crate) id: String,
    /// The name that is shown.
    pub(crate) name: String,
}

/// What is saved.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Save {
    /// The revision it began from.
    pub(crate) base: u64,
    /// Its fields then.
    #[serde(default)]
    pub(crate) was: Fields,
    /// Its fields now.
    pub(crate) fields: Fields,
    /// The window it is written in.
    #[serde(default)]
    pub(crate) window: String,
}

/// What came of saving.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is stored as it was sent.
    Stored(Draft),
    /// It was merged with what others saved; these are the fields now.
    Merged(Draft),
    /// The same lines were changed: what is there stays, what was sent is kept beside it.
    Conflict(Draft),
}

/// The drafts of a hub.
#[derive(Clone)]
pub(crate) struct Drafts(Arc<Inner>);

/// The files of each who began one.
type Index = HashMap<String, BTreeSet<PathBuf>>;

struct Inner {
    folder: PathBuf,
    key: Option<FileKey>,
    /// One writer at a time: a save is a read and a write. Where each writer's drafts are.
    turn: Mutex<Index>,
    presences: Presences,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The folder of a person's drafts: its name says nothing of whom.
fn folder_of(folder: &Path, patient: &str) -> PathBuf {
    folder.join(&blake3::hash(patient.as_bytes()).to_hex()[..32])
}

/// Removes every draft about these Patients.
///
/// # Errors
/// As the disk says.
pub fn erase_drafts(data: &Path, patients: &[String]) -> io::Result<()> {
    for patient in patients {
        match fs::remove_dir_all(folder_of(&data.join("drafts"), patient)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a text can be a draft's id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn newest_first(drafts: impl Iterator<Item = Draft>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = drafts.filter(|draft| !draft.is_thrown).collect();
    drafts.sort_by_key(|draft| std::cmp::Reverse(draft.saved));
    drafts
}

impl Drafts {
    /// The drafts beside a hub's data; sealed if there is a key.
    pub(crate) fn at(data: &Path, key: Option<FileKey>) -> Drafts {
        let folder = data.join("drafts");
        let drafts =
            Drafts(Arc::new(Inner { folder, key, turn: Mutex::default(), presences: Presences::default() }));
        drafts.look_through();
        drafts
    }

    /// Looks through every draft once: what was not touched for thirty days goes, what was written before the hub was
    /// encrypted is encrypted, and whose each is is remembered.
    fn look_through(&self) {
        let mut index = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(persons) = fs::read_dir(&self.0.folder) else { return };
        let files = persons.flatten().filter_map(|person| fs::read_dir(person.path()).ok()).flatten();
        for file in files.flatten() {
            let path = file.path();
            let touched = file.metadata().and_then(|m| m.modified()).ok();
            let age = touched.and_then(|t| SystemTime::now().duration_since(t).ok());
            if age.is_some_and(|age| age.as_secs() > LASTS) {
                // What cannot be removed now is removed another day.
                let _ = fs::remove_file(path);
            } else if let Some((draft, is_plain)) = self.read_as_is(&path) {
                if is_plain && self.0.key.is_some() && self.write(&draft).is_err() {
                    tracing::warn!("a draft could not be encrypted; it is as soon as it is saved again");
                }
                index.entry(draft.author).or_default().insert(path);
            }
        }
    }

    fn path(&self, patient: &str, id: &str) -> Option<PathBuf> {
        is_id(id).then(|| folder_of(&self.0.folder, patient).join(format!("{id}.json")))
    }

    fn read(&self, path: &Path) -> Option<Draft> {
        self.read_as_is(path).map(|(draft, _)| draft)
    }

    /// A draft, and whether it lies there in the clear.
    fn read_as_is(&self, path: &Path) -> Option<(Draft, bool)> {
        if path.extension().is_none_or(|ending| ending != "json") {
            return None;
        }
        let kept = fs::read(path).ok()?;
        let opened = |key: &FileKey| {
            let mut bytes = Vec::new();
            Opener::new(kept.as_slice(), key, PURPOSE).ok()?.read_to_end(&mut bytes).ok()?;
            Some(bytes)
        };
        let sealed = self.0.key.as_ref().and_then(opened);
        let is_plain = sealed.is_none();
        let draft: Draft = serde_json::from_slice(sealed.as_deref().unwrap_or(&kept)).ok()?;
        (draft.saved + LASTS > now()).then_some((draft, is_plain))
    }

    /// The file is replaced whole, so that it is the old or the new one whatever happens.
    fn write(&self, draft: &Draft) -> io::Result<()> {
        let path = self.path(&draft.patient, &draft.id).ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let bytes = serde_json::to_vec(draft).map_err(io::Error::other)?;
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        let file = match &self.0.key {
            Some(key) => {
                let mut sealer = Sealer::new(file, key, PURPOSE)?;
                sealer.write_all(&bytes)?;
                sealer.finish()?
            }
            None => {
                file.write_all(&bytes)?;
                file
            }
        };
        file.sync_data()?;
        fs::rename(beside, path)
    }

    /// A draft.
    pub(crate) fn get(&self, patient: &str, id: &str) -> Option<Draft> {
        self.read(&self.path(patient, id)?).filter(|draft| draft.patient == patient)
    }

    /// All drafts about a person that are not thrown away, newest first.
    pub(crate) fn of_person(&self, patient: &str) -> Vec<Draft> {
        let files = fs::read_dir(folder_of(&self.0.folder, patient)).into_iter().flatten().flatten();
        let drafts = files.filter_map(|file| self.read(&file.path()));
        newest_first(drafts.filter(|draft| draft.patient == patient))
    }

    /// What somebody has not signed yet, newest first.
    pub(crate) fn of_writer(&self, writer: &str) -> Vec<Draft> {
        let paths = {
            let index = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
            index.get(writer).cloned().unwrap_or_default()
        };
        newest_first(paths.iter().filter_map(|path| self.read(path)))
    }

    /// The last draft of a kind that somebody began about a person, if there is one.
    pub(crate) fn last_of(&self, patient: &str, kind: &str, writer: &str) -> Option<Draft> {
        self.of_person(patient).into_iter().find(|draft| draft.kind == kind && draft.author == writer)
    }

    /// Saves; a draft that is not there is begun under the id that is given.
    pub(crate) fn save(
        &self,
        patient: &str,
        kind: &str,
        id: &str,
        writer: &Writer,
        save: Save,
    ) -> io::Result<Saved> {
        let mut index = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let size: usize = save.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > LARGEST || !is_id(id) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let moment = now();
        let Some(mut draft) = self.get(patient, id) else {
            if self.of_person(patient).len() >= MOST_OF_PERSON {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            let draft = Draft {
                id: id.to_owned(),
                patient: patient.to_owned(),
                kind: kind.to_owned(),
                author: writer.id.clone(),
                name: writer.name.clone(),
                last: writer.name.clone(),
                begun: moment,
                saved: moment,
                revision: 1,
                fields: save.fields,
                kept: Vec::new(),
                window: save.window,
                is_thrown: false,
            };
            self.write(&draft)?;
            index.entry(draft.author.clone()).or_default().extend(self.path(patient, id));
            return Ok(Saved::Stored(draft));
        };
        let is_current = draft.revision == save.base;
        let merged = match is_current {
            true => Merged { fields: save.fields.clone(), is_clean: true },
            false => merge::merge(&save.was, &draft.fields, &save.fields),
        };
        if !merged.is_clean {
            let kept = Kept { by: writer.name.clone(), at: moment, fields: save.fields };
            if draft.kept.last().is_none_or(|last| last.fields != kept.fields) {
                draft.kept.push(kept);
                let over = draft.kept.len().saturating_sub(MOST_KEPT);
                draft.kept.drain(..over);
                self.write(&draft)?;
            }
            return Ok(Saved::Conflict(draft));
        }
        if merged.fields != draft.fields || draft.is_thrown {
            draft.is_thrown = false;
            draft.window = save.window;
            draft.fields = merged.fields;
            draft.revision += 1;
            draft.saved = moment;
            draft.last.clone_from(&writer.name);
            self.write(&draft)?;
        }
        Ok(if is_current || draft.fields == save.fields {
            Saved::Stored(draft)
        } else {
            Saved::Merged(draft)
        })
    }

    /// It is thrown away, and can be brought back until it goes.
    pub(crate) fn throw(&self, patient: &str, id: &str) -> io::Result<()> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut draft) = self.get(patient, id) else { return Ok(()) };
        draft.is_thrown = true;
        self.write(&draft)
    }

    /// It is signed.
    pub(crate) fn remove(&self, patient: &str, id: &str) -> io::Result<()> {
        let mut index = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = self.path(patient, id) else { return Ok(()) };
        index.values_mut().for_each(|paths| {
            paths.remove(&path);
        });
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Somebody has a draft open, by a name of the window's own; who else has.
    pub(crate) fn open(&self, id: &str, window: &str, writer: &Writer) -> Vec<Present> {
        self.0.presences.note(id, window, &writer.name)
    }
}

/// A new draft's id, which nobody guesses.
pub(crate) fn new_id() -> String {
    auth::form_secret()
        .map(|secret| blake3::hash(secret.as_bytes()).to_hex()[..32].to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::from([("text".to_owned(), text.to_owned())])
    }

    fn writer(name: &str) -> Writer {
        Writer { id: name.to_owned(), name: name.to_owned() }
    }

    fn save(base: u64, was: &str, text: &str) -> Save {
        Save { base, was: fields(was), fields: fields(text), window: String::new() }
    }

    #[test]
    fn two_who_write_at_once_are_merged_or_both_kept() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::at(folder.path(), None);
        let id = "0".repeat(32);
        let put = |by: &str, s: Save| drafts.save("p", "note", &id, &writer(by), s).unwrap();
        assert!(matches!(put("a", save(0, "", "one\ntwo\nthree\n")), Saved::Stored(d) if d.revision == 1));
        assert!(matches!(put("a", save(1, "one\ntwo\nthree\n", "ONE\ntwo\nthree\n")), Saved::Stored(_)));
        let Saved::Merged(draft) = put("b", save(1, "one\ntwo\nthree\n", "one\ntwo\nTHREE\n")) else {
            panic!()
        };
        assert_eq!(draft.fields, fields("ONE\ntwo\nTHREE\n"));
        let Saved::Conflict(draft) = put("b", save(1, "one\ntwo\nthree\n", "uno\ntwo\nthree\n")) else {
            panic!()
        };
        assert_eq!(draft.fields, fields("ONE\ntwo\nTHREE\n"), "nothing is written over");
        assert_eq!(draft.kept[0].fields, fields("uno\ntwo\nthree\n"), "nothing is lost");
        // A program that starts anew finds it.
        let again = Drafts::at(folder.path(), None);
        assert_eq!(again.last_of("p", "note", "a").unwrap().kept.len(), 1);
        assert!(again.of_writer("b").is_empty() && again.get("q", &id).is_none());
        erase_drafts(folder.path(), &["p".to_owned()]).unwrap();
        assert!(again.of_person("p").is_empty());
    }

    #[test]
    fn what_is_not_touched_for_a_month_goes() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::at(folder.path(), None);
        let id = "a".repeat(32);
        drafts.save("p", "note", &id, &writer("a"), save(0, "", "x")).unwrap();
        let path = drafts.path("p", &id).unwrap();
        let old = SystemTime::now() - std::time::Duration::from_secs(LASTS + 60);
        File::open(&path).unwrap().set_modified(old).unwrap();
        Drafts::at(folder.path(), None);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_thrown_away_is_in_no_list_and_comes_back_when_it_is_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::at(folder.path(), None);
        let id = "b".repeat(32);
        drafts.save("p", "note", &id, &writer("a"), save(0, "", "x")).unwrap();
        drafts.throw("p", &id).unwrap();
        assert!(drafts.of_person("p").is_empty() && drafts.of_writer("a").is_empty());
        assert_eq!(drafts.get("p", &id).unwrap().fields, fields("x"));
        drafts.save("p", "note", &id, &writer("a"), save(1, "x", "x")).unwrap();
        assert_eq!((drafts.of_person("p").len(), drafts.of_writer("a").len()), (1, 1));
        drafts.remove("p", &id).unwrap();
        assert!(drafts.of_writer("a").is_empty());
    }

    #[test]
    fn a_hub_that_was_encrypted_since_encrypts_its_drafts() {
        let folder = tempfile::tempdir().unwrap();
        let id = "c".repeat(32);
        let text = "nobody reads this";
        Drafts::at(folder.path(), None).save("p", "note", &id, &writer("a"), save(0, "", text)).unwrap();
        let (key, _) = FileKey::fresh(&sealing::Key::fresh().unwrap()).unwrap();
        let drafts = Drafts::at(folder.path(), Some(key));
        assert_eq!(drafts.of_writer("a")[0].fields, fields(text));
        let kept = fs::read(drafts.path("p", &id).unwrap()).unwrap();
        assert!(!kept.windows(text.len()).any(|window| window == text.as_bytes()));
    }

    #[test]
    fn a_name_that_is_no_id_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::at(folder.path(), None);
        assert!(drafts.save("p", "note", "../../x", &writer("a"), save(0, "", "x")).is_err());
        assert!(drafts.get("p", "../../x").is_none());
    }
}
