//! What is known here of a person who is erased on lawful request.

use super::{Invitation, LISTED, User, login_key, user_key};
use crate::Auth;
use crate::records::{forget, put};
use crate::refusal::Refusal;

impl Auth {
    /// The accounts that are a person's own, by the ids of the person's Patients.
    fn accounts_of(&self, patients: &[String]) -> Result<Vec<User>, Refusal> {
        let is_own = |user: &User| match user.fhir_user.as_deref() {
            Some(own) => own.strip_prefix("Patient/").is_some_and(|id| patients.iter().any(|p| p == id)),
            None => user.patient.as_ref().is_some_and(|id| patients.contains(id)),
        };
        Ok(self.users()?.into_iter().filter(is_own).collect())
    }

    /// The names under which a person is known here: to find them elsewhere before they are erased.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn names_of_person(&self, patients: &[String]) -> Result<Vec<String>, Refusal> {
        Ok(self.accounts_of(patients)?.into_iter().flat_map(|user| [user.name, user.login]).collect())
    }

    /// Erases a person, by the ids of the person's Patients: of the person's own accounts only the ids stay, and that nobody
    /// signs in with them; who acted for the person, or is staff and had a record here, does so no more. How many accounts
    /// were the person's own, and how many others were changed.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn erase_person(&self, patients: &[String]) -> Result<(u64, u64), Refusal> {
        let (mut own, mut others) = (0, 0);
        for user in self.accounts_of(patients)? {
            // Every part is named, so that one that is added has to be thought of.
            let erased = User {
                login: format!("erased.{}", user.id),
                name: "(erased)".to_owned(),
                roles: user.roles,
                fhir_user: None,
                patient: None,
                proxied: Vec::new(),
                organization: None,
                is_disabled: true,
                is_managed: user.is_managed,
                created: user.created,
                password: None,
                totp: None,
                recovery: Vec::new(),
                id: user.id,
            };
            // What names the person elsewhere, and the keys of the person's devices.
            self.remove_passkeys(&erased.id)?;
            self.unlink_user(&erased.id)?;
            let mut changes =
                vec![put(&user_key(&erased.id), &erased, None)?, forget(&login_key(&user.login))];
            for (key, kept) in self.vault.scan("invitation/", LISTED, self.now())? {
                let link = Invitation::Password { user: erased.id.clone() };
                if serde_json::from_slice::<Invitation>(&kept.value).is_ok_and(|found| found == link) {
                    changes.push(forget(&key));
                }
            }
            self.change(&[], &changes)?;
            own += 1;
        }
        let is_theirs = |id: &String| patients.contains(id);
        for user in self.users()? {
            if user.proxied.iter().any(is_theirs) || user.patient.as_ref().is_some_and(is_theirs) {
                self.update_user(&user.id, |user| {
                    user.proxied.retain(|id| !is_theirs(id));
                    user.patient.take_if(|id| is_theirs(id));
                    Ok(())
                })?;
                others += 1;
            }
        }
        self.forget_identities();
        self.vault.sweep(self.now())?;
        self.vault.scrub()?;
        Ok((own, others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::user::NewUser;
    use crate::vault::MemoryVault;

    #[test]
    fn of_an_erased_person_only_the_id_stays() {
        let auth = Auth::new(Box::new(MemoryVault::default()), Settings::at("http://localhost"));
        let new = |login: &str, role: &str| NewUser {
            login: login.to_owned(),
            name: format!("name of {login}"),
            roles: vec![role.to_owned()],
            ..NewUser::default()
        };
        let own = auth
            .add_user(&NewUser { fhir_user: Some("Patient/p".to_owned()), ..new("hana", "person") })
            .unwrap();
        let session = auth.begin_session(&own, "10.0.0.7", "browser", crate::Way::Password).unwrap();
        let link =
            crate::NewLink { issuer: "https://id.example".to_owned(), subject: "hana-elsewhere".to_owned() };
        auth.link_user(&own.id, &link).unwrap();
        auth.invite(&Invitation::Password { user: own.id.clone() }).unwrap();
        let proxied = vec!["p".to_owned(), "q".to_owned()];
        let proxy = auth.add_user(&NewUser { proxied, ..new("taro", "proxy") }).unwrap();
        let staff = NewUser {
            fhir_user: Some("Practitioner/d".to_owned()),
            patient: Some("p".to_owned()),
            ..new("doc", "clinician")
        };
        let staff = auth.add_user(&staff).unwrap();
        let patients = ["p".to_owned()];
        assert_eq!(auth.names_of_person(&patients).unwrap(), ["name of hana", "hana"]);
        assert_eq!(auth.erase_person(&patients).unwrap(), (1, 2));
        assert!(auth.session(&session).unwrap().is_none() && auth.user_named("hana").is_err());
        let everything = auth.vault.scan("", 1000, auth.now()).unwrap();
        for (key, kept) in everything {
            let text = format!("{key} {}", String::from_utf8_lossy(&kept.value));
            assert!(!text.contains("hana") && !text.contains("10.0.0.7"), "{text}");
        }
        assert!(auth.user(&own.id).unwrap().unwrap().is_disabled);
        assert_eq!(auth.user(&proxy.id).unwrap().unwrap().proxied, ["q"]);
        let staff = auth.user(&staff.id).unwrap().unwrap();
        assert!(!staff.is_disabled && staff.patient.is_none() && staff.name == "name of doc");
        assert_eq!(auth.erase_person(&patients).unwrap(), (0, 0), "again there is nothing");
    }
}
