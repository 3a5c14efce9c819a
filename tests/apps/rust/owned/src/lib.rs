//! User storage, frozen storage and blobs: what only its owner may change, what nobody may, and files beside state.

use std::collections::BTreeMap;

use calimero_sdk::app;
use calimero_sdk::borsh::{BorshDeserialize, BorshSerialize};
use calimero_sdk::env;
use calimero_sdk::serde::Serialize;
use calimero_sdk::PublicKey;
use calimero_storage::collections::{FrozenStorage, LwwRegister, UnorderedMap, UserStorage};

/// One read of an attachment; a longer one takes several.
const READ_BYTES: usize = 64 * 1024;

#[app::state(emits = for<'a> Event<'a>)]
#[derive(BorshSerialize, BorshDeserialize)]
#[borsh(crate = "calimero_sdk::borsh")]
pub struct Owned {
    profiles: UserStorage<LwwRegister<String>>,
    drawers: UserStorage<UnorderedMap<String, LwwRegister<String>>>,
    records: FrozenStorage<String>,
    attachments: UnorderedMap<String, LwwRegister<[u8; 32]>>,
}

#[app::event]
pub enum Event<'a> {
    ProfileSet { owner: PublicKey, text: &'a str },
    ProfileRemoved { owner: PublicKey },
    DrawerSet { owner: PublicKey, key: &'a str, value: &'a str },
    Frozen { hash: &'a str, text: &'a str },
    Attached { name: &'a str, blob: PublicKey },
}

#[derive(Serialize)]
#[serde(crate = "calimero_sdk::serde")]
#[serde(tag = "kind", content = "data")]
pub enum OwnedError<'a> {
    NotFound(&'a str),
    NotAHash(&'a str),
}

#[app::logic]
impl Owned {
    #[app::init]
    pub fn init() -> Owned {
        Owned {
            profiles: UserStorage::new(),
            drawers: UserStorage::new(),
            records: FrozenStorage::new(),
            attachments: UnorderedMap::new(),
        }
    }

    // User storage: one value a member.

    /// Writes the caller's profile; returns the one before.
    pub fn set_profile(&mut self, text: String) -> app::Result<Option<String>> {
        app::emit!(Event::ProfileSet { owner: me(), text: &text });
        let old = self.profiles.insert(text.into())?;
        Ok(old.map(LwwRegister::into_inner))
    }

    pub fn my_profile(&self) -> app::Result<Option<String>> {
        Ok(self.profiles.get()?.map(LwwRegister::into_inner))
    }

    pub fn profile_of(&self, owner: PublicKey) -> app::Result<Option<String>> {
        Ok(self.profiles.get_for_user(&owner)?.map(LwwRegister::into_inner))
    }

    pub fn has_profile(&self, owner: PublicKey) -> app::Result<bool> {
        Ok(self.profiles.contains_user(&owner)?)
    }

    pub fn remove_profile(&mut self) -> app::Result<Option<String>> {
        let old = self.profiles.remove()?;
        app::emit!(Event::ProfileRemoved { owner: me() });
        Ok(old.map(LwwRegister::into_inner))
    }

    // User storage: a map a member.

    pub fn set_in_drawer(&mut self, key: String, value: String) -> app::Result<()> {
        let mut drawer = self.drawers.get()?.unwrap_or_default();
        drop(drawer.insert(key.clone(), value.clone().into())?);
        drop(self.drawers.insert(drawer)?);
        app::emit!(Event::DrawerSet { owner: me(), key: &key, value: &value });
        Ok(())
    }

    pub fn drawer_of(&self, owner: PublicKey) -> app::Result<BTreeMap<String, String>> {
        let Some(drawer) = self.drawers.get_for_user(&owner)? else {
            return Ok(BTreeMap::new());
        };
        let entries = drawer.entries()?.map(|(key, value)| (key, value.into_inner())).collect();
        Ok(entries)
    }

    // Frozen storage.

    /// Freezes the text; returns its hash in hex. Freezing the same text again changes nothing.
    pub fn freeze(&mut self, text: String) -> app::Result<String> {
        let hash = to_hex(&self.records.insert(text.clone())?);
        app::emit!(Event::Frozen { hash: &hash, text: &text });
        Ok(hash)
    }

    pub fn record(&self, hash: String) -> app::Result<String> {
        match self.records.get(&from_hex(&hash)?)? {
            Some(text) => Ok(text),
            None => app::bail!(OwnedError::NotFound(&hash)),
        }
    }

    pub fn has_record(&self, hash: String) -> app::Result<bool> {
        Ok(self.records.contains(&from_hex(&hash)?)?)
    }

    // Blobs: the state holds the id, the blob store the bytes.

    /// Stores the bytes as a blob, announces it to the context and remembers it by name; returns its id.
    pub fn attach(&mut self, name: String, content: Vec<u8>) -> app::Result<PublicKey> {
        let writer = env::blob_create();
        let _ = env::blob_write(writer, &content);
        let blob = env::blob_close(writer);
        let _ = env::blob_announce_to_context(&blob, &env::context_id());
        app::emit!(Event::Attached { name: &name, blob: blob.into() });
        drop(self.attachments.insert(name, blob.into())?);
        Ok(blob.into())
    }

    /// The bytes of an attachment, empty if this node does not hold the blob.
    pub fn attachment(&self, name: String) -> app::Result<Vec<u8>> {
        match self.attachments.get(&name)? {
            Some(blob) => Ok(read_blob(&blob)),
            None => app::bail!(OwnedError::NotFound(&name)),
        }
    }

    pub fn attachments(&self) -> app::Result<BTreeMap<String, PublicKey>> {
        let entries = self.attachments.entries()?;
        Ok(entries.map(|(name, blob)| (name, blob.into_inner().into())).collect())
    }

    // The context, as the host tells it.

    pub fn members(&self) -> Vec<PublicKey> {
        env::context_members().into_iter().map(PublicKey::from).collect()
    }

    pub fn is_member(&self, key: PublicKey) -> bool {
        env::context_is_member(&key)
    }
}

fn me() -> PublicKey {
    env::executor_id().into()
}

fn read_blob(blob: &[u8; 32]) -> Vec<u8> {
    let reader = env::blob_open(blob);
    let mut content = Vec::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let count = env::blob_read(reader, &mut chunk) as usize;
        if count == 0 {
            break;
        }
        content.extend_from_slice(&chunk[..count]);
    }
    let _ = env::blob_close(reader);
    content
}

fn to_hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> app::Result<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        app::bail!(OwnedError::NotAHash(text));
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        match u8::from_str_radix(&text[2 * index..2 * index + 2], 16) {
            Ok(value) => *byte = value,
            Err(_) => app::bail!(OwnedError::NotAHash(text)),
        }
    }
    Ok(hash)
}
