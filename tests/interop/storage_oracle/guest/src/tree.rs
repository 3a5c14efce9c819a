//! Entities, index, actions and deltas.

use borsh::to_vec;
use calimero_storage::action::{Action, ComparisonData};
use calimero_storage::address::Id;
use calimero_storage::collections::Root;
use calimero_storage::delta;
use calimero_storage::entities::{ChildInfo, Data, Metadata};
use calimero_storage::env;
use calimero_storage::index::Index;
use calimero_storage::logical_clock::HybridTimestamp;
use calimero_storage::store::MainStorage;
use calimero_storage::Interface;
use serde_json::{json, Value};

use crate::arguments::{text, Arguments, Outcome};
use crate::leaf::Leaf;
use crate::unknown;

type Store = Interface<MainStorage>;
type Tree = Index<MainStorage>;

pub fn run(op: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    match op {
        "tree.add_root" => add_root(arguments),
        "tree.add_child" => add_child(arguments),
        "tree.save" => save(arguments),
        "tree.save_raw" => save_raw(arguments),
        "tree.remove_child" => remove_child(arguments),
        "tree.apply" => Store::apply_action(arguments.borsh("action")?).map(|()| Value::Null).map_err(text),
        "tree.sync" => Root::<Vec<u8>>::sync(&arguments.bytes("artifact")?).map(|()| Value::Null).map_err(text),
        "tree.compare" => compare(arguments),
        "tree.compare_affective" => compare_affective(arguments),
        "tree.comparison_data" => comparison_data(arguments),
        "tree.entity" => Ok(json!(Store::find_by_id_raw(arguments.id("id")?).map(hex::encode))),
        "tree.visible" => visible(arguments.id("id")?),
        "tree.index" => index(arguments.id("id")?),
        "tree.hashes" => hashes(arguments.id("id")?),
        "tree.children" => children(arguments.id("id")?),
        "tree.deleted" => Tree::is_deleted(arguments.id("id")?).map(Value::from).map_err(text),
        "tree.flush" => flush(),
        "tree.commit_root" => commit_root(arguments),
        "tree.clear_pending" => clear_pending(),
        "tree.set_heads" => set_heads(arguments),
        "tree.hlc" => Ok(Value::from(encode(&env::hlc_timestamp())?)),
        "tree.update_hlc" => update_hlc(arguments),
        _ => unknown(op),
    }
}

fn encode(value: &impl borsh::BorshSerialize) -> Outcome<String> {
    to_vec(value).map(hex::encode).map_err(text)
}

fn encode_all(actions: &[Action]) -> Outcome<Vec<String>> {
    actions.iter().map(encode).collect()
}

fn add_root(arguments: &Arguments<'_>) -> Outcome<Value> {
    let metadata = arguments.borsh::<Metadata>("metadata")?;
    let child = ChildInfo::new(arguments.id("id")?, arguments.hash("hash")?, metadata);
    Tree::add_root(child).map(|()| Value::Null).map_err(text)
}

/// The id of the child and whether it was written.
fn add_child(arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut leaf = Leaf::from_arguments(arguments)?;
    let written = Store::add_child_to(arguments.id("parent")?, &mut leaf).map_err(text)?;
    Ok(json!({ "id": hex::encode(leaf.id().as_bytes()), "written": written }))
}

fn save(arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut leaf = Leaf::from_arguments(arguments)?;
    Store::save(&mut leaf).map(Value::from).map_err(text)
}

/// The full hash, or null where the write was refused.
fn save_raw(arguments: &Arguments<'_>) -> Outcome<Value> {
    let saved = Store::save_raw(arguments.id("id")?, arguments.bytes("data")?, arguments.borsh("metadata")?);
    Ok(json!(saved.map_err(text)?.map(hex::encode)))
}

fn remove_child(arguments: &Arguments<'_>) -> Outcome<Value> {
    Store::remove_child_from(arguments.id("parent")?, arguments.id("id")?).map(Value::from).map_err(text)
}

fn foreign(arguments: &Arguments<'_>) -> Outcome<(Option<Vec<u8>>, ComparisonData)> {
    Ok((arguments.optional_bytes("data")?, arguments.borsh("comparison")?))
}

fn compare(arguments: &Arguments<'_>) -> Outcome<Value> {
    let (data, comparison) = foreign(arguments)?;
    let (local, remote) = Store::compare_trees(data, comparison).map_err(text)?;
    Ok(json!({ "local": encode_all(&local)?, "remote": encode_all(&remote)? }))
}

fn compare_affective(arguments: &Arguments<'_>) -> Outcome<Value> {
    let (data, comparison) = foreign(arguments)?;
    Store::compare_affective(data, comparison).map(|()| Value::Null).map_err(text)
}

fn comparison_data(arguments: &Arguments<'_>) -> Outcome<Value> {
    let data = Store::generate_comparison_data(arguments.optional_id("id")?).map_err(text)?;
    encode(&data).map(Value::from)
}

/// The entity's bytes as a reader of collections sees them: null where it is deleted.
fn visible(id: Id) -> Outcome<Value> {
    let found = Store::find_by_id::<Leaf>(id).map_err(text)?;
    Ok(json!(found.map(|leaf| encode(&leaf)).transpose()?))
}

fn index(id: Id) -> Outcome<Value> {
    let index = Tree::get_index(id).map_err(text)?;
    Ok(json!(index.map(|index| encode(&index)).transpose()?))
}

/// Full and own hash.
fn hashes(id: Id) -> Outcome<Value> {
    let hashes = Tree::get_hashes_for(id).map_err(text)?;
    Ok(json!(hashes.map(|(full, own)| [hex::encode(full), hex::encode(own)])))
}

fn children(id: Id) -> Outcome<Value> {
    let children = Tree::get_children_of(id).map_err(text)?;
    let rows: Outcome<Vec<String>> = children.iter().map(encode).collect();
    rows.map(Value::from)
}

fn root_hash() -> Outcome<[u8; 32]> {
    Ok(Tree::get_hashes_for(Id::root()).map_err(text)?.map_or([0; 32], |(full, _)| full))
}

/// Takes the pending actions as a causal delta; null where nothing is pending.
fn flush() -> Outcome<Value> {
    let delta = delta::commit_causal_delta(&root_hash()?).map_err(text)?;
    delta.map_or(Ok(Value::Null), |delta| encode(&delta).map(Value::from))
}

/// Commits headless, or with `data` as a new root entity; the host sees the root hash and the artifact.
fn commit_root(arguments: &Arguments<'_>) -> Outcome<Value> {
    let root = arguments.optional("data").map(|_| Leaf::from_arguments(arguments)).transpose()?;
    Store::commit_root(root).map(|()| Value::Null).map_err(text)
}

fn clear_pending() -> Outcome<Value> {
    delta::clear_pending_delta();
    Ok(Value::Null)
}

fn set_heads(arguments: &Arguments<'_>) -> Outcome<Value> {
    delta::set_current_heads(to_hashes(&arguments.list("heads")?)?);
    Ok(Value::Null)
}

pub fn to_hashes(list: &[Vec<u8>]) -> Outcome<Vec<[u8; 32]>> {
    list.iter().map(|hash| hash.as_slice().try_into().map_err(|_| "a hash is not 32 bytes".to_owned())).collect()
}

fn update_hlc(arguments: &Arguments<'_>) -> Outcome<Value> {
    let remote = arguments.borsh::<HybridTimestamp>("remote")?;
    Ok(Value::from(env::update_hlc(&remote).is_ok()))
}
