//! The rows of views, kept as Parquet: `FOLDER/<name>-<hash>/`.
//!
//! A folder has a `manifest.json` and the files it names. Rows are divided over files by the key of the resource they
//! are of, so that a change of some resources writes anew only the files their keys belong to. The manifest is put in place
//! by a rename: whoever opens it sees one place of the log, whole. Files of the manifest before stay until the next.
//!
//! What is here can be made anew from the record at any time; a folder that is damaged is to be thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use views::write::ParquetWriter;

use crate::error::Error;
use crate::library::View;
use crate::materials::Materials;

const MANIFEST: &str = "manifest.json";
/// Rows of a file, about.
const FILE_ROWS: usize = 500_000;
/// Files of a view at most.
const MOST_FILES: usize = 256;

/// The rows of views, kept as Parquet.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
}

/// What a manifest says: the place of the log, and the file of each division, where it has rows.
#[derive(Clone, Debug)]
struct Manifest {
    place: u64,
    files: Vec<Option<String>>,
}

fn division(key: &str, of: usize) -> usize {
    crc32c::crc32c(key.as_bytes()) as usize % of.max(1)
}

impl Kept {
    /// The folder, which need not exist yet.
    #[must_use]
    pub fn at(folder: &Path) -> Kept {
        Kept { folder: folder.to_path_buf() }
    }

    fn folder(&self, view: &View) -> PathBuf {
        let hash = view.hash.get(..16).unwrap_or(&view.hash);
        self.folder.join(format!("{}-{hash}", view.name))
    }

    fn manifest(&self, view: &View) -> Option<Manifest> {
        let text = fs::read(self.folder(view).join(MANIFEST)).ok()?;
        let json: Value = serde_json::from_slice(&text).ok()?;
        if json["hash"] != view.hash.as_str() {
            return None;
        }
        let files = json["files"].as_array()?;
        Some(Manifest {
            place: json["place"].as_u64()?,
            files: files.iter().map(|f| f.as_str().map(str::to_owned)).collect(),
        })
    }

    /// The place of the log a view's rows are of; none where it is not kept.
    #[must_use]
    pub fn place(&self, view: &View) -> Option<u64> {
        self.manifest(view).map(|m| m.place)
    }

    /// Keeps a view's rows anew.
    ///
    /// # Errors
    /// What writing says.
    pub fn write(&self, view: &View, place: u64, batches: &[RecordBatch]) -> Result<(), Error> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let of = match view.key {
            Some(_) => rows.div_ceil(FILE_ROWS).clamp(1, MOST_FILES),
            None => 1,
        };
        let divided = divide(view, batches, of, &|_| true)?;
        let manifest = Manifest { place, files: vec![None; of] };
        self.put(view, manifest, place, divided, &(0..of).collect())
    }

    /// Takes the rows of resources that changed in the place of those they had. `changed` has the keys of all that
    /// changed, those without a row any more too.
    ///
    /// # Errors
    /// A view that is not kept or has no column with a key; what reading and writing say.
    pub fn refresh(
        &self,
        view: &View,
        place: u64,
        changed: &BTreeSet<String>,
        batches: &[RecordBatch],
    ) -> Result<(), Error> {
        let of = |said: &str| Error::new(format!("the view `{}`", view.name), "", said);
        let manifest = self.manifest(view).ok_or_else(|| of("it is not kept; write it first"))?;
        if view.key.is_none() {
            return Err(of("it has no column with getResourceKey(); write it anew instead"));
        }
        let many = manifest.files.len();
        let touched: BTreeSet<usize> = changed.iter().map(|key| division(key, many)).collect();
        let mut divided: BTreeMap<usize, Vec<RecordBatch>> = BTreeMap::new();
        for number in &touched {
            let Some(Some(file)) = manifest.files.get(*number) else { continue };
            let stayed = read(view, &self.folder(view).join(file))?;
            let stayed = divide(view, &stayed, many, &|key| !changed.contains(key))?;
            for (number, rows) in stayed {
                divided.entry(number).or_default().extend(rows);
            }
        }
        for (number, rows) in divide(view, batches, many, &|key| changed.contains(key))? {
            divided.entry(number).or_default().extend(rows);
        }
        self.put(view, manifest, place, divided, &touched)
    }

    fn put(
        &self,
        view: &View,
        mut manifest: Manifest,
        place: u64,
        mut divided: BTreeMap<usize, Vec<RecordBatch>>,
        touched: &BTreeSet<usize>,
    ) -> Result<(), Error> {
        let said = |e: &dyn std::fmt::Display| {
            Error::new(format!("the view `{}`", view.name), "", format!("its rows cannot be kept: {e}"))
        };
        let folder = self.folder(view);
        fs::create_dir_all(&folder).map_err(|e| said(&e))?;
        let before: BTreeSet<String> =
            self.manifest(view).into_iter().flat_map(|m| m.files.into_iter().flatten()).collect();
        // A name of its own, so that nothing a reader has open is written over.
        let mut turn = 0;
        while (0..manifest.files.len()).any(|n| folder.join(name(n, place, turn)).exists()) {
            turn += 1;
        }
        for number in touched {
            let rows = divided.remove(number).unwrap_or_default();
            let file = name(*number, place, turn);
            let has_rows = rows.iter().any(|batch| batch.num_rows() > 0);
            if has_rows {
                let out = File::create(folder.join(&file)).map_err(|e| said(&e))?;
                let mut writer = ParquetWriter::new(&view.definition, out).map_err(|e| said(&e))?;
                for batch in &rows {
                    writer.write(batch).map_err(|e| said(&e))?;
                }
                let out = writer.finish().map_err(|e| said(&e))?;
                out.sync_all().map_err(|e| said(&e))?;
            }
            if let Some(slot) = manifest.files.get_mut(*number) {
                *slot = has_rows.then_some(file);
            }
        }
        manifest.place = place;
        self.replace(view, &manifest).map_err(|e| said(&e))?;
        let now: BTreeSet<String> = manifest.files.into_iter().flatten().collect();
        for entry in fs::read_dir(&folder).map_err(|e| said(&e))?.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.ends_with(".parquet") && !now.contains(&file) && !before.contains(&file) {
                fs::remove_file(entry.path()).map_err(|e| said(&e))?;
            }
        }
        Ok(())
    }

    fn replace(&self, view: &View, manifest: &Manifest) -> io::Result<()> {
        let folder = self.folder(view);
        let text = json!({
            "view": view.name, "hash": view.hash, "place": manifest.place, "files": manifest.files,
        });
        let new = folder.join("manifest.new");
        fs::write(&new, format!("{text:#}\n"))?;
        File::open(&new)?.sync_all()?;
        fs::rename(&new, folder.join(MANIFEST))?;
        File::open(&folder)?.sync_all()
    }

    /// The rows of views, where all are kept and of one place.
    ///
    /// # Errors
    /// A view that is not kept, or is of another place than the others.
    pub fn materials(&self, views: &[std::sync::Arc<View>]) -> Result<Materials, Error> {
        let mut materials = Materials::default();
        for (at, view) in views.iter().enumerate() {
            let of = |said: String| Error::new(format!("the view `{}`", view.name), "", said);
            let manifest =
                self.manifest(view).ok_or_else(|| of("it is not kept; write it first".to_owned()))?;
            if at > 0 && manifest.place != materials.place {
                return Err(of(format!(
                    "its rows are of place {}, those of others of {}; refresh all views to one place",
                    manifest.place, materials.place
                )));
            }
            materials.place = manifest.place;
            let folder = self.folder(view);
            let files = manifest.files.into_iter().flatten().map(|file| folder.join(file)).collect();
            materials.put_parquet(view, files);
        }
        Ok(materials)
    }
}

fn name(division: usize, place: u64, turn: u32) -> String {
    format!("{division:03}-{place}-{turn}.parquet")
}

fn read(view: &View, path: &Path) -> Result<Vec<RecordBatch>, Error> {
    let said = |e: &dyn std::fmt::Display| {
        Error::new(format!("the view `{}`", view.name), path.display().to_string(), e.to_string())
    };
    let file = File::open(path).map_err(|e| said(&e))?;
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.build()).map_err(|e| said(&e))?;
    reader.collect::<Result<_, _>>().map_err(|e| said(&e))
}

/// Divides rows by their keys, without those whose key is not wanted.
fn divide(
    view: &View,
    batches: &[RecordBatch],
    of: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<usize, Vec<RecordBatch>>, Error> {
    let said = |e: &dyn std::fmt::Display| Error::new(format!("the view `{}`", view.name), "", e.to_string());
    let mut divided: BTreeMap<usize, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        let keys =
            view.key.as_ref().and_then(|k| batch.column_by_name(k)).and_then(|c| c.as_string_opt::<i32>());
        let Some(keys) = keys else {
            divided.entry(0).or_default().push(batch.clone());
            continue;
        };
        let key = |row: usize| if keys.is_valid(row) { keys.value(row) } else { "" };
        let all_wanted: BooleanArray = (0..batch.num_rows()).map(|row| Some(wanted(key(row)))).collect();
        if of == 1 {
            let rows = filter_record_batch(batch, &all_wanted).map_err(|e| said(&e))?;
            divided.entry(0).or_default().push(rows);
            continue;
        }
        let mut rows: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for row in (0..batch.num_rows()).filter(|row| all_wanted.value(*row)) {
            rows.entry(division(key(row), of)).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        for (number, rows) in rows {
            let taken = take_record_batch(batch, &UInt32Array::from(rows)).map_err(|e| said(&e))?;
            divided.entry(number).or_default().push(taken);
        }
    }
    Ok(divided)
}
