//! Where a person's accounts are, for an erasure: the vault of the hub that is served, or the one that lies there; and
//! what is being written about the person.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::vault::DiskVault;
use auth::{Auth, Refusal, Settings};
use fhir::IssueType;
use hub::{Failure, Kind};

use crate::vault;

/// A home of accounts.
pub(crate) enum Accounts {
    /// Of a hub where people sign in.
    Served(Arc<Auth>, PathBuf),
    /// Of one where nobody does now, and may have done.
    Kept(PathBuf),
}

fn failed(error: &impl ToString) -> Failure {
    Failure::new(Kind::Internal, IssueType::Exception, error.to_string())
}

impl Accounts {
    pub(crate) fn served(auth: &Arc<Auth>, data: &Path) -> Arc<dyn hub::Accounts> {
        Arc::new(Accounts::Served(Arc::clone(auth), data.to_owned()))
    }

    pub(crate) fn kept(data: &Path) -> Arc<dyn hub::Accounts> {
        Arc::new(Accounts::Kept(data.to_owned()))
    }

    fn with<T: Default>(&self, act: impl FnOnce(&Auth) -> Result<T, Refusal>) -> Result<T, Failure> {
        let told = |refusal: Refusal| failed(&refusal.description);
        match self {
            Accounts::Served(auth, _) => act(auth).map_err(told),
            Accounts::Kept(data) if !vault::folder(data).exists() => Ok(T::default()),
            Accounts::Kept(data) => {
                let keys = crate::key::of(data).map_err(|e| failed(&e))?;
                let folder = vault::folder(data);
                let vault = DiskVault::open_sealed(&folder, keys.as_deref()).map_err(|e| failed(&e))?;
                act(&Auth::new(Box::new(vault), Settings::at("http://localhost"))).map_err(told)
            }
        }
    }
}

impl hub::Accounts for Accounts {
    fn names(&self, patients: &[String]) -> Result<Vec<String>, Failure> {
        self.with(|auth| auth.names_of_person(patients))
    }

    fn erase(&self, patients: &[String]) -> Result<(u64, u64), Failure> {
        let (Accounts::Served(_, data) | Accounts::Kept(data)) = self;
        web::erase_drafts(data, patients).map_err(|e| failed(&e))?;
        self.with(|auth| auth.erase_person(patients))
    }
}
