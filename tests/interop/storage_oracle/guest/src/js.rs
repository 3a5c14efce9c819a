//! The byte collections that a node keeps for JavaScript applications, each found by its id.
//!
//! Loading, creating and saving follow the node's host functions: a collection that is not there is made anew under
//! its id, and one that has no parent yet goes under the root, which is made if need be.

use calimero_storage::address::Id;
use calimero_storage::entities::{ChildInfo, Data, Metadata};
use calimero_storage::env::time_now;
use calimero_storage::index::Index;
use calimero_storage::js::{
    JsCounter, JsFrozenStorage, JsLwwRegister, JsUnorderedMap, JsUnorderedSet, JsUserStorage, JsVector,
};
use calimero_storage::store::MainStorage;
use calimero_storage::{Interface, StorageError};
use serde_json::{json, Value};

use crate::arguments::{text, Arguments, Outcome};
use crate::unknown;

type Store = Interface<MainStorage>;

pub fn run(op: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let (kind, method) = op.trim_start_matches("js.").split_once('.').ok_or("js operation without method")?;
    if method == "new" {
        return create(kind, arguments.optional_id("id")?);
    }
    match kind {
        "map" => map(method, arguments),
        "vector" => vector(method, arguments),
        "set" => set(method, arguments),
        "lww" => lww(method, arguments),
        "counter" => counter(method, arguments),
        "user" => user(method, arguments),
        "frozen" => frozen(method, arguments),
        _ => unknown(op),
    }
}

fn create(kind: &str, id: Option<Id>) -> Outcome<Value> {
    match kind {
        "map" => created(&mut id.map_or_else(JsUnorderedMap::new, JsUnorderedMap::new_with_id)),
        "vector" => created(&mut id.map_or_else(JsVector::new, JsVector::new_with_id)),
        "set" => created(&mut id.map_or_else(JsUnorderedSet::new, JsUnorderedSet::new_with_id)),
        "lww" => created(&mut id.map_or_else(JsLwwRegister::new, JsLwwRegister::new_with_id)),
        "counter" => created(&mut id.map_or_else(JsCounter::new, JsCounter::new_with_id)),
        "user" => created(&mut id.map_or_else(JsUserStorage::new, JsUserStorage::new_with_id)),
        "frozen" => created(&mut id.map_or_else(JsFrozenStorage::new, JsFrozenStorage::new_with_id)),
        _ => unknown(kind),
    }
}

fn created<D: Data>(wrapper: &mut D) -> Outcome<Value> {
    store(wrapper)?;
    Ok(Value::from(hex::encode(wrapper.id().as_bytes())))
}

fn store<D: Data>(wrapper: &mut D) -> Outcome<()> {
    match Store::save(wrapper) {
        Ok(_) => Ok(()),
        Err(StorageError::CannotCreateOrphan(_)) => {
            ensure_root()?;
            Store::add_child_to(Id::root(), wrapper).map(|_| ()).map_err(text)
        }
        Err(cause) => Err(text(cause)),
    }
}

fn ensure_root() -> Outcome<()> {
    if Index::<MainStorage>::get_hashes_for(Id::root()).map_err(text)?.is_some() {
        return Ok(());
    }
    let now = time_now();
    Index::<MainStorage>::add_root(ChildInfo::new(Id::root(), [0; 32], Metadata::new(now, now))).map_err(text)
}

fn load<D: Data>(arguments: &Arguments<'_>, make: impl FnOnce(Id) -> D) -> Outcome<D> {
    let id = arguments.id("id")?;
    if let Some(found) = Store::find_by_id::<D>(id).map_err(text)? {
        return Ok(found);
    }
    let mut wrapper = make(id);
    store(&mut wrapper)?;
    Ok(wrapper)
}

fn optional(value: Option<Vec<u8>>) -> Value {
    json!(value.map(hex::encode))
}

fn hexes(values: Vec<Vec<u8>>) -> Value {
    Value::from(values.into_iter().map(hex::encode).collect::<Vec<_>>())
}

fn map(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut map = load(arguments, JsUnorderedMap::new_with_id)?;
    let answer = match method {
        "insert" => optional(map.insert(&arguments.bytes("key")?, &arguments.bytes("value")?).map_err(text)?),
        "get" => optional(map.get(&arguments.bytes("key")?).map_err(text)?),
        "remove" => optional(map.remove(&arguments.bytes("key")?).map_err(text)?),
        "contains" => Value::from(map.contains(&arguments.bytes("key")?).map_err(text)?),
        "len" => Value::from(map.len().map_err(text)?),
        "entries" => pairs(map.entries().map_err(text)?),
        _ => return unknown(method),
    };
    store(&mut map)?;
    Ok(answer)
}

fn pairs(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Value {
    Value::from(entries.into_iter().map(|(key, value)| hexes(vec![key, value])).collect::<Vec<_>>())
}

fn vector(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut vector = load(arguments, JsVector::new_with_id)?;
    let index = || arguments.number("index").map(|index| index as usize);
    let answer = match method {
        "push" => vector.push(&arguments.bytes("value")?).map(|()| Value::Null).map_err(text)?,
        "get" => optional(vector.get(index()?).map_err(text)?),
        "update" => optional(vector.update(index()?, &arguments.bytes("value")?).map_err(text)?),
        "pop" => optional(vector.pop().map_err(text)?),
        "len" => Value::from(vector.len().map_err(text)?),
        "clear" => vector.clear().map(|()| Value::Null).map_err(text)?,
        _ => return unknown(method),
    };
    store(&mut vector)?;
    Ok(answer)
}

fn set(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut set = load(arguments, JsUnorderedSet::new_with_id)?;
    let answer = match method {
        "insert" => Value::from(set.insert(&arguments.bytes("value")?).map_err(text)?),
        "contains" => Value::from(set.contains(&arguments.bytes("value")?).map_err(text)?),
        "remove" => Value::from(set.remove(&arguments.bytes("value")?).map_err(text)?),
        "len" => Value::from(set.len().map_err(text)?),
        "values" => hexes(set.values().map_err(text)?),
        "clear" => set.clear().map(|()| Value::Null).map_err(text)?,
        _ => return unknown(method),
    };
    store(&mut set)?;
    Ok(answer)
}

fn lww(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut register = load(arguments, JsLwwRegister::new_with_id)?;
    let answer = match method {
        "set" => {
            register.set(arguments.optional_bytes("value")?.as_deref());
            Value::Null
        }
        "clear" => {
            register.clear();
            Value::Null
        }
        "get" => optional(register.get()),
        "timestamp" => Value::from(hex::encode(borsh::to_vec(&register.timestamp()).map_err(text)?)),
        _ => return unknown(method),
    };
    store(&mut register)?;
    Ok(answer)
}

fn counter(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut counter = load(arguments, JsCounter::new_with_id)?;
    let answer = match method {
        "increment" => counter.increment().map(|()| Value::Null).map_err(text)?,
        "value" => Value::from(counter.value().map_err(text)?),
        "executor_count" => Value::from(counter.get_executor_count(&arguments.hash("executor")?).map_err(text)?),
        _ => return unknown(method),
    };
    store(&mut counter)?;
    Ok(answer)
}

fn user(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut user = load(arguments, JsUserStorage::new_with_id)?;
    let answer = match method {
        "insert" => optional(user.insert(&arguments.bytes("value")?).map_err(text)?),
        "get" => optional(user.get().map_err(text)?),
        "get_for_user" => optional(user.get_for_user(&arguments.hash("user")?).map_err(text)?),
        "contains" => Value::from(user.contains_current_user().map_err(text)?),
        "contains_user" => Value::from(user.contains_user(&arguments.hash("user")?).map_err(text)?),
        "remove" => optional(user.remove().map_err(text)?),
        "entries" => {
            pairs(user.entries().map_err(text)?.into_iter().map(|(key, value)| (key.to_vec(), value)).collect())
        }
        _ => return unknown(method),
    };
    store(&mut user)?;
    Ok(answer)
}

fn frozen(method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let mut frozen = load(arguments, JsFrozenStorage::new_with_id)?;
    let answer = match method {
        "add" => Value::from(hex::encode(frozen.insert(&arguments.bytes("value")?).map_err(text)?)),
        "get" => optional(frozen.get(&arguments.hash("hash")?).map_err(text)?),
        "contains" => Value::from(frozen.contains(&arguments.hash("hash")?).map_err(text)?),
        _ => return unknown(method),
    };
    store(&mut frozen)?;
    Ok(answer)
}
