//! Rows of one column, and the changes of one call in front of them.

use std::collections::BTreeMap;

use calimero_runtime::store::{Key, Storage, Value};

pub type Row = [u8; 32];
pub type Rows = BTreeMap<Row, Value>;

/// Changes by row; `None` is a removal.
pub type Changes = BTreeMap<Row, Option<Value>>;

/// As a node's: keys are padded to 32 bytes, and a longer one names no row.
pub struct Column<'a> {
    pub committed: &'a Rows,
    pub changes: Changes,
}

impl Column<'_> {
    /// What differs from before, which a row written with its old value does not.
    pub fn effective(&self) -> Changes {
        let same = |row: &Row, value: &Option<Value>| self.committed.get(row) == value.as_ref();
        self.changes.iter().filter(|(row, value)| !same(row, value)).map(|(r, v)| (*r, v.clone())).collect()
    }
}

fn row_of(key: &Key) -> Option<Row> {
    let mut row = [0; 32];
    row.get_mut(..key.len())?.copy_from_slice(key);
    Some(row)
}

impl Storage for Column<'_> {
    fn get(&self, key: &Key) -> Option<Value> {
        let row = row_of(key)?;
        self.changes.get(&row).cloned().unwrap_or_else(|| self.committed.get(&row).cloned())
    }

    fn set(&mut self, key: Key, value: Value) -> Option<Value> {
        let old = self.get(&key);
        self.changes.insert(row_of(&key)?, Some(value));
        old
    }

    fn remove(&mut self, key: &Key) -> Option<Value> {
        let old = self.get(key);
        self.changes.insert(row_of(key)?, None);
        old
    }

    fn has(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }
}
