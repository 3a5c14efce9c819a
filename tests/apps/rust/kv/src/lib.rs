//! Key-value store: the demo app, and the fixture for events, handlers, errors, traps and atomicity.
//!
//! Values are last-writer-wins registers. `set_with_handler` names `on_set` as the handler of its event, and each
//! node that runs the handler adds one to a counter, so `handled` shows how many peers did.

use std::collections::BTreeMap;

use calimero_sdk::app;
use calimero_sdk::borsh::{BorshDeserialize, BorshSerialize};
use calimero_sdk::env;
use calimero_sdk::serde::Serialize;
use calimero_sdk::serde_json;
use calimero_sdk::PublicKey;
use calimero_storage::collections::{Counter, LwwRegister, UnorderedMap};

#[app::state(emits = for<'a> Event<'a>)]
#[derive(BorshSerialize, BorshDeserialize)]
#[borsh(crate = "calimero_sdk::borsh")]
pub struct KvStore {
    items: UnorderedMap<String, LwwRegister<String>>,
    handled: Counter,
}

#[app::event]
pub enum Event<'a> {
    Inserted { key: &'a str, value: &'a str },
    Updated { key: &'a str, value: &'a str },
    Removed { key: &'a str },
    Cleared,
}

#[derive(Serialize)]
#[serde(crate = "calimero_sdk::serde")]
#[serde(tag = "kind", content = "data")]
pub enum KvError<'a> {
    NotFound(&'a str),
    Refused { key: &'a str, reason: &'a str },
}

#[app::logic]
impl KvStore {
    #[app::init]
    pub fn init() -> KvStore {
        KvStore { items: UnorderedMap::new(), handled: Counter::new() }
    }

    pub fn set(&mut self, key: String, value: String) -> app::Result<()> {
        if self.put(&key, &value)? {
            app::emit!(Event::Updated { key: &key, value: &value });
        } else {
            app::emit!(Event::Inserted { key: &key, value: &value });
        }
        Ok(())
    }

    /// One call, one delta, one event a key.
    pub fn set_many(&mut self, entries: BTreeMap<String, String>) -> app::Result<u64> {
        let mut count = 0;
        for (key, value) in entries {
            self.set(key, value)?;
            count += 1;
        }
        Ok(count)
    }

    pub fn set_with_handler(&mut self, key: String, value: String) -> app::Result<()> {
        if self.put(&key, &value)? {
            app::emit!((Event::Updated { key: &key, value: &value }, "on_set"));
        } else {
            app::emit!((Event::Inserted { key: &key, value: &value }, "on_set"));
        }
        Ok(())
    }

    /// Handler of the events of `set_with_handler`; its arguments are the fields of the event.
    pub fn on_set(&mut self, key: String, value: String) -> app::Result<()> {
        app::log!("on_set {} = {}", key, value);
        self.handled.increment()?;
        Ok(())
    }

    /// How often any node has run `on_set`.
    pub fn handled(&self) -> app::Result<u64> {
        Ok(self.handled.value()?)
    }

    pub fn get(&self, key: String) -> app::Result<Option<String>> {
        Ok(self.items.get(&key)?.map(LwwRegister::into_inner))
    }

    /// Like `get`, but a missing key is the app's own typed error. The key is borrowed from the input, so its JSON text may
    /// hold no escape.
    pub fn get_result(&self, key: &str) -> app::Result<String> {
        match self.get(key.to_owned())? {
            Some(value) => Ok(value),
            None => app::bail!(KvError::NotFound(key)),
        }
    }

    /// Like `get`, but a missing key panics inside the guest.
    pub fn get_unchecked(&self, key: &str) -> app::Result<String> {
        match self.get(key.to_owned())? {
            Some(value) => Ok(value),
            None => env::panic_str(&format!("key not found: {key}")),
        }
    }

    pub fn contains(&self, key: String) -> app::Result<bool> {
        Ok(self.items.contains(&key)?)
    }

    pub fn len(&self) -> app::Result<u64> {
        Ok(self.items.len()? as u64)
    }

    pub fn entries(&self) -> app::Result<BTreeMap<String, String>> {
        let entries = self.items.entries()?;
        Ok(entries.map(|(key, value)| (key, value.into_inner())).collect())
    }

    pub fn remove(&mut self, key: String) -> app::Result<Option<String>> {
        let removed = self.items.remove(&key)?.map(LwwRegister::into_inner);
        if removed.is_some() {
            app::emit!(Event::Removed { key: &key });
        }
        Ok(removed)
    }

    pub fn clear(&mut self) -> app::Result<()> {
        self.items.clear()?;
        app::emit!(Event::Cleared);
        Ok(())
    }

    /// Writes and emits, then answers an error: nothing of it may remain.
    pub fn set_then_fail(&mut self, key: &str, value: &str) -> app::Result<()> {
        self.set(key.to_owned(), value.to_owned())?;
        app::bail!(KvError::Refused { key, reason: "asked to fail" })
    }

    /// Writes and emits, then panics: nothing of it may remain.
    pub fn set_then_panic(&mut self, key: &str, value: &str) -> app::Result<()> {
        self.set(key.to_owned(), value.to_owned())?;
        env::panic_str(&format!("asked to panic after {key}"))
    }

    /// Queues `set` on another context that this node holds.
    pub fn set_elsewhere(&mut self, context: PublicKey, key: &str, value: &str) -> app::Result<()> {
        let params = serde_json::to_vec(&serde_json::json!({ "key": key, "value": value }))?;
        env::xcall(&context, "set", &params);
        Ok(())
    }

    /// The context and the caller as the guest sees them, base58.
    pub fn whoami(&self) -> BTreeMap<String, String> {
        let text = |id: [u8; 32]| String::from(PublicKey::from(id));
        BTreeMap::from([
            ("context".to_owned(), text(env::context_id())),
            ("executor".to_owned(), text(env::executor_id())),
        ])
    }
}

impl KvStore {
    /// Stores the value; true if the key was there before.
    fn put(&mut self, key: &str, value: &str) -> app::Result<bool> {
        let old = self.items.insert(key.to_owned(), value.to_owned().into())?;
        Ok(old.is_some())
    }
}
