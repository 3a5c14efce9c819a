//! A guessing game on private storage: what a node hides stays on that node, what it commits to is replicated.
//!
//! A node hides a secret for a game and publishes its SHA-256 over salt and secret; guesses are public; only the
//! node that holds the secret can judge them, and revealing shows that it did not cheat.

use std::collections::BTreeMap;

use calimero_sdk::app;
use calimero_sdk::borsh::{BorshDeserialize, BorshSerialize};
use calimero_sdk::env;
use calimero_sdk::serde::Serialize;
use calimero_sdk::PublicKey;
use calimero_storage::collections::{LwwRegister, UnorderedMap, Vector};
use sha2::{Digest, Sha256};

const SALT_BYTES: usize = 16;

#[app::state(emits = for<'a> Event<'a>)]
#[derive(BorshSerialize, BorshDeserialize)]
#[borsh(crate = "calimero_sdk::borsh")]
pub struct SecretGame {
    commitments: UnorderedMap<String, LwwRegister<String>>,
    guesses: UnorderedMap<String, Vector<LwwRegister<String>>>,
    revealed: UnorderedMap<String, LwwRegister<String>>,
}

#[app::event]
pub enum Event<'a> {
    Committed { game: &'a str, commitment: &'a str },
    Guessed { game: &'a str, guess: &'a str },
    Judged { game: &'a str, guess: &'a str, right: bool },
    Revealed { game: &'a str, secret: &'a str },
}

/// What this node hides, by game.
#[derive(Default, BorshSerialize, BorshDeserialize, Debug)]
#[borsh(crate = "calimero_sdk::borsh")]
#[app::private]
pub struct Secrets {
    by_game: BTreeMap<String, Secret>,
}

#[derive(Clone, BorshSerialize, BorshDeserialize, Debug)]
#[borsh(crate = "calimero_sdk::borsh")]
pub struct Secret {
    text: String,
    salt: [u8; SALT_BYTES],
}

/// A note of this node under a key that the app chose.
#[derive(Default, BorshSerialize, BorshDeserialize, Debug)]
#[borsh(crate = "calimero_sdk::borsh")]
#[app::private(key = b"scratch")]
pub struct Scratch {
    text: String,
}

#[derive(Serialize)]
#[serde(crate = "calimero_sdk::serde")]
#[serde(tag = "kind", content = "data")]
pub enum GameError<'a> {
    UnknownGame(&'a str),
    NoSecret(&'a str),
    AlreadyHidden(&'a str),
}

#[app::logic]
impl SecretGame {
    #[app::init]
    pub fn init() -> SecretGame {
        SecretGame { commitments: UnorderedMap::new(), guesses: UnorderedMap::new(), revealed: UnorderedMap::new() }
    }

    /// Keeps the secret here and publishes the commitment, which it returns in hex.
    pub fn hide(&mut self, game: String, secret: String) -> app::Result<String> {
        if self.commitments.contains(&game)? {
            app::bail!(GameError::AlreadyHidden(&game));
        }
        let secret = Secret { text: secret, salt: fresh_salt() };
        let commitment = secret.commitment();
        let mut secrets = Secrets::private_load_or_default()?;
        let _ = secrets.as_mut().by_game.insert(game.clone(), secret);
        app::emit!(Event::Committed { game: &game, commitment: &commitment });
        drop(self.commitments.insert(game, commitment.clone().into())?);
        Ok(commitment)
    }

    /// Publishes a guess; returns how many the game has.
    pub fn guess(&mut self, game: String, guess: String) -> app::Result<u64> {
        if !self.commitments.contains(&game)? {
            app::bail!(GameError::UnknownGame(&game));
        }
        let mut guesses = self.guesses.get(&game)?.unwrap_or_default();
        guesses.push(guess.clone().into())?;
        let count = guesses.len()? as u64;
        app::emit!(Event::Guessed { game: &game, guess: &guess });
        drop(self.guesses.insert(game, guesses)?);
        Ok(count)
    }

    pub fn guesses(&self, game: String) -> app::Result<Vec<String>> {
        let Some(guesses) = self.guesses.get(&game)? else {
            return Ok(Vec::new());
        };
        let texts = guesses.iter()?.map(LwwRegister::into_inner).collect();
        Ok(texts)
    }

    /// Judges a guess; only a node that holds the secret can.
    pub fn judge(&self, game: String, guess: String) -> app::Result<bool> {
        let right = own_secret(&game)?.text == guess;
        app::emit!(Event::Judged { game: &game, guess: &guess, right });
        Ok(right)
    }

    /// Publishes the secret and drops it from private storage.
    pub fn reveal(&mut self, game: String) -> app::Result<String> {
        let text = own_secret(&game)?.text;
        let mut secrets = Secrets::private_load_or_default()?;
        let _ = secrets.as_mut().by_game.remove(&game);
        app::emit!(Event::Revealed { game: &game, secret: &text });
        drop(self.revealed.insert(game, text.clone().into())?);
        Ok(text)
    }

    pub fn revealed(&self, game: String) -> app::Result<Option<String>> {
        Ok(self.revealed.get(&game)?.map(LwwRegister::into_inner))
    }

    pub fn commitments(&self) -> app::Result<BTreeMap<String, String>> {
        let entries = self.commitments.entries()?;
        Ok(entries.map(|(game, commitment)| (game, commitment.into_inner())).collect())
    }

    /// The secrets of this node, by game.
    pub fn my_secrets(&self) -> app::Result<BTreeMap<String, String>> {
        let secrets = Secrets::private_load_or_default()?;
        Ok(secrets.by_game.iter().map(|(game, secret)| (game.clone(), secret.text.clone())).collect())
    }

    /// Writes a private note; returns the one before.
    pub fn note(&mut self, text: String) -> app::Result<String> {
        swap_note(text)
    }

    /// The same from a view: the answer comes, and the note must be gone afterwards.
    pub fn note_in_view(&self, text: String) -> app::Result<String> {
        swap_note(text)
    }

    /// Writes a private note, then answers an error: the note must be gone afterwards.
    pub fn note_then_fail(&mut self, text: String) -> app::Result<String> {
        let _ = swap_note(text)?;
        app::bail!("asked to fail")
    }

    pub fn my_note(&self) -> app::Result<Option<String>> {
        Ok(Scratch::private_load()?.map(|note| note.text.clone()))
    }

    /// Removes the private note; true if there was one.
    pub fn forget_note(&mut self) -> bool {
        env::private_storage_remove(SCRATCH_KEY)
    }

    pub fn me(&self) -> PublicKey {
        env::executor_id().into()
    }
}

impl Secret {
    /// SHA-256 over salt and text, in hex.
    fn commitment(&self) -> String {
        let digest = Sha256::new().chain_update(self.salt).chain_update(&self.text).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn fresh_salt() -> [u8; SALT_BYTES] {
    let mut salt = [0; SALT_BYTES];
    env::random_bytes(&mut salt);
    salt
}

fn own_secret(game: &str) -> app::Result<Secret> {
    let secrets = Secrets::private_load_or_default()?;
    match secrets.by_game.get(game) {
        Some(secret) => Ok(secret.clone()),
        None => app::bail!(GameError::NoSecret(game)),
    }
}

fn swap_note(text: String) -> app::Result<String> {
    let mut note = Scratch::private_load_or_default()?;
    let mut note = note.as_mut();
    Ok(std::mem::replace(&mut note.text, text))
}
