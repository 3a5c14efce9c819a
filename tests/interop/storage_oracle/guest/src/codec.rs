//! Borsh layouts, signing payloads and delta ids.

use borsh::{from_slice, to_vec, BorshDeserialize, BorshSerialize};
use calimero_primitives::crdt::CrdtType;
use calimero_storage::action::{Action, ComparisonData};
use calimero_storage::delta::{CausalDelta, StorageDelta};
use calimero_storage::entities::{ChildInfo, Metadata, StorageType};
use calimero_storage::index::EntityIndex;
use calimero_storage::integration::Comparison;
use calimero_storage::logical_clock::HybridTimestamp;
use calimero_storage::snapshot::Snapshot;
use calimero_storage::store::Key;
use serde_json::Value;

use crate::arguments::{text, Arguments, Outcome};
use crate::tree::to_hashes;
use crate::unknown;

pub fn run(op: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    match op {
        "codec.roundtrip" => roundtrip(arguments.text("type")?, &arguments.bytes("data")?),
        "codec.payload" => Ok(Value::from(hex::encode(arguments.borsh::<Action>("action")?.payload_for_signing()))),
        "codec.delta_id" => delta_id(arguments),
        "codec.key" => key(arguments),
        _ => unknown(op),
    }
}

/// Decodes strictly and encodes again.
fn roundtrip(kind: &str, data: &[u8]) -> Outcome<Value> {
    match kind {
        "Action" => again::<Action>(data),
        "CausalDelta" => again::<CausalDelta>(data),
        "ChildInfo" => again::<ChildInfo>(data),
        "Comparison" => again::<Comparison>(data),
        "ComparisonData" => again::<ComparisonData>(data),
        "CrdtType" => again::<CrdtType>(data),
        "EntityIndex" => again::<EntityIndex>(data),
        "HybridTimestamp" => again::<HybridTimestamp>(data),
        "Metadata" => again::<Metadata>(data),
        "Snapshot" => again::<Snapshot>(data),
        "StorageDelta" => again::<StorageDelta>(data),
        "StorageType" => again::<StorageType>(data),
        _ => Err(format!("unknown type: {kind}")),
    }
}

fn again<T: BorshDeserialize + BorshSerialize>(data: &[u8]) -> Outcome<Value> {
    let value = from_slice::<T>(data).map_err(text)?;
    to_vec(&value).map(|bytes| Value::from(hex::encode(bytes))).map_err(text)
}

fn delta_id(arguments: &Arguments<'_>) -> Outcome<Value> {
    let parents = to_hashes(&arguments.list("parents")?)?;
    let actions: Outcome<Vec<Action>> =
        arguments.list("actions")?.iter().map(|action| from_slice(action).map_err(text)).collect();
    let id = CausalDelta::compute_id(&parents, &actions?, &HybridTimestamp::default());
    Ok(Value::from(hex::encode(id)))
}

fn key(arguments: &Arguments<'_>) -> Outcome<Value> {
    let id = arguments.id("id")?;
    let key = match arguments.text("kind")? {
        "index" => Key::Index(id),
        "entry" => Key::Entry(id),
        "sync" => Key::SyncState(id),
        kind => return Err(format!("unknown key: {kind}")),
    };
    Ok(Value::from(hex::encode(key.to_bytes())))
}
