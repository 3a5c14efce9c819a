//! The next version of `kv`: the state has a title besides, which `migrate_from_kv` adds to the state of `kv`.
//!
//! The entries and the counter stay where they are: only the state entry, which says where they begin, gets new bytes.

use std::collections::BTreeMap;

use calimero_sdk::app;
use calimero_sdk::borsh::{self, BorshDeserialize, BorshSerialize};
use calimero_sdk::state::read_raw;
use calimero_storage::collections::{Counter, LwwRegister, UnorderedMap};

#[app::state(emits = for<'a> Event<'a>)]
#[derive(BorshSerialize, BorshDeserialize)]
#[borsh(crate = "calimero_sdk::borsh")]
pub struct KvNext {
    items: UnorderedMap<String, LwwRegister<String>>,
    handled: Counter,
    title: LwwRegister<String>,
}

#[app::event]
pub enum Event<'a> {
    Set { key: &'a str, value: &'a str },
    Titled { title: &'a str },
}

/// The state of `kv`.
#[derive(BorshDeserialize)]
#[borsh(crate = "calimero_sdk::borsh")]
struct KvStore {
    items: UnorderedMap<String, LwwRegister<String>>,
    handled: Counter,
}

#[app::migrate]
pub fn migrate_from_kv() -> KvNext {
    let raw = read_raw().expect("there is no state to migrate");
    let old: KvStore = borsh::from_slice(&raw).expect("the state is not that of kv");
    KvNext { items: old.items, handled: old.handled, title: LwwRegister::new("migrated".to_owned()) }
}

/// A migration that finds fault with what is there.
#[app::migrate]
pub fn migrate_from_nothing() -> KvNext {
    panic!("this state cannot be migrated");
}

#[app::logic]
impl KvNext {
    #[app::init]
    pub fn init() -> KvNext {
        KvNext { items: UnorderedMap::new(), handled: Counter::new(), title: LwwRegister::new(String::new()) }
    }

    pub fn set(&mut self, key: String, value: String) -> app::Result<()> {
        app::emit!(Event::Set { key: &key, value: &value });
        self.items.insert(key, LwwRegister::new(value))?;
        Ok(())
    }

    pub fn get(&self, key: String) -> app::Result<Option<String>> {
        Ok(self.items.get(&key)?.map(|value| value.get().clone()))
    }

    pub fn entries(&self) -> app::Result<BTreeMap<String, String>> {
        Ok(self.items.entries()?.map(|(key, value)| (key, value.get().clone())).collect())
    }

    pub fn handled(&self) -> app::Result<u64> {
        Ok(self.handled.value()?)
    }

    pub fn set_title(&mut self, title: String) -> app::Result<()> {
        app::emit!(Event::Titled { title: &title });
        self.title.set(title);
        Ok(())
    }

    pub fn title(&self) -> app::Result<String> {
        Ok(self.title.get().clone())
    }
}
