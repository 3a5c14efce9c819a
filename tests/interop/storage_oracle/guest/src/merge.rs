//! Merging of values outside the tree.

use borsh::{BorshDeserialize, BorshSerialize};
use calimero_primitives::crdt::CrdtType;
use calimero_storage::collections::crdt_meta::MergeError;
use calimero_storage::collections::{LwwRegister, Mergeable, UnorderedMap};
use calimero_storage::merge::{merge_by_crdt_type, merge_root_state};
use calimero_storage::register_crdt_merge;
use serde_json::Value;

use crate::arguments::{text, Arguments, Outcome};
use crate::unknown;

/// A root state of one map, as small as an application's can be.
#[derive(BorshSerialize, BorshDeserialize)]
struct MapState {
    items: UnorderedMap<Vec<u8>, LwwRegister<Vec<u8>>>,
}

impl Mergeable for MapState {
    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.items.merge(&other.items)
    }
}

pub fn run(op: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    match op {
        "merge.by_type" => by_type(arguments),
        "merge.register" => register(),
        "merge.root" => root(arguments),
        _ => unknown(op),
    }
}

fn by_type(arguments: &Arguments<'_>) -> Outcome<Value> {
    let kind = arguments.borsh::<CrdtType>("crdt_type")?;
    let merged = merge_by_crdt_type(&kind, &arguments.bytes("existing")?, &arguments.bytes("incoming")?);
    merged.map(|bytes| Value::from(hex::encode(bytes))).map_err(text)
}

/// What a Rust application's module does before each call; a module without it cannot write its root twice.
fn register() -> Outcome<Value> {
    register_crdt_merge::<MapState>();
    Ok(Value::Null)
}

fn root(arguments: &Arguments<'_>) -> Outcome<Value> {
    let (existing, incoming) = (arguments.bytes("existing")?, arguments.bytes("incoming")?);
    let merged =
        merge_root_state(&existing, &incoming, arguments.number("existing_at")?, arguments.number("incoming_at")?);
    merged.map(|bytes| Value::from(hex::encode(bytes))).map_err(text)
}
