use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{Actor, ActorId, AnyLink, Link, NameError};

/// Names of the actors of one system.
#[derive(Default)]
pub(crate) struct Registry(Mutex<HashMap<String, AnyLink>>);

impl Registry {
    pub(crate) fn insert(&self, name: &str, actor: &AnyLink) -> Result<(), NameError> {
        let mut names = self.0.lock();
        if names.contains_key(name) {
            return Err(NameError::Taken(name.into()));
        }
        if !actor.cell().add_name(name) {
            return Err(NameError::Dead);
        }
        names.insert(name.into(), actor.clone());
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Result<AnyLink, NameError> {
        self.0.lock().get(name).cloned().ok_or_else(|| NameError::Unknown(name.into()))
    }

    pub(crate) fn find_typed<A: Actor>(&self, name: &str) -> Result<Link<A>, NameError> {
        let any = self.find(name)?;
        any.downcast().ok_or_else(|| NameError::WrongType {
            name: name.into(),
            wanted: std::any::type_name::<A>().into(),
            found: any.info().type_name.into(),
        })
    }

    pub(crate) fn release(&self, name: &str) -> Result<(), NameError> {
        let mut names = self.0.lock();
        let link = names.remove(name).ok_or_else(|| NameError::Unknown(name.into()))?;
        link.cell().remove_name(name);
        drop(names);
        drop(link);
        Ok(())
    }

    /// The actor died: its entry goes, another actor's under the same name stays.
    pub(crate) fn remove(&self, name: &str, actor: ActorId) {
        let mut names = self.0.lock();
        let held = names.get(name).is_some_and(|link| link.id() == actor);
        let link = held.then(|| names.remove(name)).flatten();
        drop(names);
        drop(link);
    }
}
