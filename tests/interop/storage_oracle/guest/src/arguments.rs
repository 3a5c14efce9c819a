//! Reading of request fields: bytes travel as lower-case hex, borsh values as hex of their bytes.

use std::fmt::Display;

use borsh::BorshDeserialize;
use calimero_storage::address::Id;
use serde_json::Value;

pub type Outcome<T> = Result<T, String>;

/// The error as the crate displays it.
pub fn text(cause: impl Display) -> String {
    cause.to_string()
}

pub struct Arguments<'a> {
    request: &'a Value,
}

impl<'a> Arguments<'a> {
    pub fn new(request: &'a Value) -> Self {
        Self { request }
    }

    pub fn optional(&self, name: &str) -> Option<&'a Value> {
        self.request.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &str) -> Outcome<&'a Value> {
        self.optional(name).ok_or_else(|| format!("argument missing: {name}"))
    }

    pub fn text(&self, name: &str) -> Outcome<&'a str> {
        self.required(name)?.as_str().ok_or_else(|| format!("argument is no text: {name}"))
    }

    pub fn number(&self, name: &str) -> Outcome<u64> {
        self.required(name)?.as_u64().ok_or_else(|| format!("argument is no u64: {name}"))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.optional(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn bytes(&self, name: &str) -> Outcome<Vec<u8>> {
        from_hex(name, self.text(name)?)
    }

    pub fn optional_bytes(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        self.optional(name).map(|_| self.bytes(name)).transpose()
    }

    pub fn list(&self, name: &str) -> Outcome<Vec<Vec<u8>>> {
        let values = self.required(name)?.as_array().ok_or_else(|| format!("argument is no list: {name}"))?;
        values.iter().map(|value| from_hex(name, value.as_str().unwrap_or("?"))).collect()
    }

    /// Requests inside this one.
    pub fn requests(&self, name: &str) -> Outcome<Vec<Arguments<'a>>> {
        let values = self.required(name)?.as_array().ok_or_else(|| format!("argument is no list: {name}"))?;
        Ok(values.iter().map(Arguments::new).collect())
    }

    pub fn hash(&self, name: &str) -> Outcome<[u8; 32]> {
        self.bytes(name)?.try_into().map_err(|_| format!("argument is not 32 bytes: {name}"))
    }

    pub fn id(&self, name: &str) -> Outcome<Id> {
        self.hash(name).map(Id::new)
    }

    pub fn optional_id(&self, name: &str) -> Outcome<Option<Id>> {
        self.optional(name).map(|_| self.id(name)).transpose()
    }

    pub fn borsh<T: BorshDeserialize>(&self, name: &str) -> Outcome<T> {
        borsh::from_slice(&self.bytes(name)?).map_err(|cause| format!("{name}: {cause}"))
    }
}

fn from_hex(name: &str, value: &str) -> Outcome<Vec<u8>> {
    hex::decode(value).map_err(|cause| format!("argument is no hex: {name}: {cause}"))
}
