//! The collections that a Rust application is made of, over keys and values of plain bytes.
//!
//! A collection is the borsh of itself: `at` carries it in, the answer `{"at": ..., "value": ...}` carries it out.

use borsh::{BorshDeserialize, BorshSerialize};
use calimero_storage::collections::{
    Counter, FrozenStorage, LwwRegister, Mergeable, ReplicatedGrowableArray, UnorderedMap, UnorderedSet, UserStorage,
    Vector as List,
};
use serde_json::{json, Value};

use crate::arguments::{text, Arguments, Outcome};
use crate::unknown;

type Bytes = Vec<u8>;
type Register = LwwRegister<Bytes>;

pub fn run(op: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let (kind, method) = op.trim_start_matches("col.").split_once('.').ok_or("collection operation without method")?;
    match kind {
        "map" => on(method, arguments, UnorderedMap::new, UnorderedMap::new_with_field_name, map),
        "set" => on(method, arguments, UnorderedSet::new, UnorderedSet::new_with_field_name, set),
        "vector" => on(method, arguments, List::new, List::new_with_field_name, vector),
        "gcounter" => on(method, arguments, Counter::<false>::new, Counter::<false>::new_with_field_name, gcounter),
        "pncounter" => on(method, arguments, Counter::<true>::new, Counter::<true>::new_with_field_name, pncounter),
        "rga" => on(method, arguments, ReplicatedGrowableArray::new, ReplicatedGrowableArray::new_with_field_name, rga),
        "user" => on(method, arguments, UserStorage::new, UserStorage::new_with_field_name, user),
        "frozen" => on(method, arguments, FrozenStorage::new, FrozenStorage::new_with_field_name, frozen),
        _ => unknown(op),
    }
}

/// Makes or loads the collection, runs the method or steps on it and answers both.
fn on<C: BorshSerialize + BorshDeserialize>(
    method: &str,
    arguments: &Arguments<'_>,
    make: impl FnOnce() -> C,
    make_named: impl FnOnce(&str) -> C,
    act: impl Fn(&mut C, &str, &Arguments<'_>) -> Outcome<Value>,
) -> Outcome<Value> {
    let (collection, value) = match method {
        "new" if arguments.optional("name").is_some() => (make_named(arguments.text("name")?), Value::Null),
        "new" => (make(), Value::Null),
        "init" => {
            let mut collection = make();
            let values = steps(&mut collection, arguments, &act)?;
            let _ = act(&mut collection, "reassign", arguments)?;
            (collection, values)
        }
        "many" => {
            let mut collection = arguments.borsh::<C>("at")?;
            let values = steps(&mut collection, arguments, &act)?;
            (collection, values)
        }
        _ => {
            let mut collection = arguments.borsh::<C>("at")?;
            let value = act(&mut collection, method, arguments)?;
            (collection, value)
        }
    };
    let at = borsh::to_vec(&collection).map_err(text)?;
    Ok(json!({ "at": hex::encode(at), "value": value }))
}

/// Runs `steps`, each with its `method`, on one object; the values in order.
fn steps<C>(
    collection: &mut C,
    arguments: &Arguments<'_>,
    act: &impl Fn(&mut C, &str, &Arguments<'_>) -> Outcome<Value>,
) -> Outcome<Value> {
    let mut values = Vec::new();
    for step in arguments.requests("steps")? {
        values.push(act(collection, step.text("method")?, &step)?);
    }
    Ok(Value::from(values))
}

fn merged<C: Mergeable + BorshDeserialize>(collection: &mut C, arguments: &Arguments<'_>) -> Outcome<Value> {
    collection.merge(&arguments.borsh("other")?).map(|()| Value::Null).map_err(text)
}

fn old(value: Option<Register>) -> Value {
    json!(value.map(|register| hex::encode(register.into_inner())))
}

fn map(map: &mut UnorderedMap<Bytes, Register>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let key = || arguments.bytes("key");
    let value = || arguments.bytes("value").map(Register::new);
    match method {
        "insert" => map.insert(key()?, value()?).map(old).map_err(text),
        "get" => map.get(&key()?).map(old).map_err(text),
        "remove" => map.remove(&key()?).map(old).map_err(text),
        "contains" => map.contains(&key()?).map(Value::from).map_err(text),
        "len" => map.len().map(Value::from).map_err(text),
        "entries" => entries(map),
        "clear" => map.clear().map(|()| Value::Null).map_err(text),
        "touch" => Ok(Value::from(map.get_mut(&key()?).map_err(text)?.is_some())),
        "or_insert" => Ok(old(Some(map.entry(key()?).map_err(text)?.or_insert(value()?).map_err(text)?.clone()))),
        "reassign" => {
            map.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(map, arguments),
        _ => unknown(method),
    }
}

fn entries(map: &UnorderedMap<Bytes, Register>) -> Outcome<Value> {
    let entries = map.entries().map_err(text)?;
    let pairs = entries.map(|(key, value)| json!([hex::encode(key), hex::encode(value.into_inner())]));
    Ok(Value::from(pairs.collect::<Vec<_>>()))
}

fn set(set: &mut UnorderedSet<Bytes>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let value = || arguments.bytes("value");
    match method {
        "insert" => set.insert(value()?).map(Value::from).map_err(text),
        "contains" => set.contains(&value()?).map(Value::from).map_err(text),
        "remove" => set.remove(&value()?).map(Value::from).map_err(text),
        "len" => set.len().map(Value::from).map_err(text),
        "values" => Ok(Value::from(set.iter().map_err(text)?.map(hex::encode).collect::<Vec<_>>())),
        "clear" => set.clear().map(|()| Value::Null).map_err(text),
        "reassign" => {
            set.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(set, arguments),
        _ => unknown(method),
    }
}

fn vector(vector: &mut List<Register>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let value = || arguments.bytes("value").map(Register::new);
    let index = || arguments.number("index").map(|index| index as usize);
    match method {
        "push" => vector.push(value()?).map(|()| Value::Null).map_err(text),
        "pop" => vector.pop().map(old).map_err(text),
        "get" => vector.get(index()?).map(old).map_err(text),
        "update" => vector.update(index()?, value()?).map(old).map_err(text),
        "last" => vector.last().map(old).map_err(text),
        "len" => vector.len().map(Value::from).map_err(text),
        "values" => {
            let values = vector.iter().map_err(text)?.map(|register| hex::encode(register.into_inner()));
            Ok(Value::from(values.collect::<Vec<_>>()))
        }
        "clear" => vector.clear().map(|()| Value::Null).map_err(text),
        "reassign" => {
            vector.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(vector, arguments),
        _ => unknown(method),
    }
}

fn gcounter(counter: &mut Counter<false>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    match method {
        "increment" => counter.increment().map(|()| Value::Null).map_err(text),
        "increment_for" => counter.increment_for(&arguments.hash("executor")?).map(|()| Value::Null).map_err(text),
        "value" => counter.value().map(Value::from).map_err(text),
        "positive" => counter.get_positive_count(&arguments.hash("executor")?).map(Value::from).map_err(text),
        "reassign" => {
            counter.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(counter, arguments),
        _ => unknown(method),
    }
}

fn pncounter(counter: &mut Counter<true>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    match method {
        "increment" => counter.increment().map(|()| Value::Null).map_err(text),
        "decrement" => counter.decrement().map(|()| Value::Null).map_err(text),
        "value" => counter.value().map(Value::from).map_err(text),
        "positive" => counter.get_positive_count(&arguments.hash("executor")?).map(Value::from).map_err(text),
        "negative" => counter.get_negative_count(&arguments.hash("executor")?).map(Value::from).map_err(text),
        "reassign" => {
            counter.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(counter, arguments),
        _ => unknown(method),
    }
}

fn rga(array: &mut ReplicatedGrowableArray, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let number = |name| arguments.number(name).map(|value| value as usize);
    match method {
        "insert" => array.insert_str(number("position")?, arguments.text("text")?).map(|()| Value::Null).map_err(text),
        "insert_char" => {
            let character = arguments.text("text")?.chars().next().ok_or("text is empty")?;
            array.insert(number("position")?, character).map(|()| Value::Null).map_err(text)
        }
        "delete" => array.delete(number("position")?).map(|()| Value::Null).map_err(text),
        "delete_range" => array.delete_range(number("start")?, number("end")?).map(|()| Value::Null).map_err(text),
        "text" => array.get_text().map(Value::from).map_err(text),
        "len" => array.len().map(Value::from).map_err(text),
        "reassign" => {
            array.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(array, arguments),
        _ => unknown(method),
    }
}

fn user(user: &mut UserStorage<Register>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    let owner = || arguments.hash("user").map(Into::into);
    match method {
        "insert" => user.insert(Register::new(arguments.bytes("value")?)).map(old).map_err(text),
        "get" => user.get().map(old).map_err(text),
        "get_for_user" => user.get_for_user(&owner()?).map(old).map_err(text),
        "contains_user" => user.contains_user(&owner()?).map(Value::from).map_err(text),
        "remove" => user.remove().map(old).map_err(text),
        "reassign" => {
            user.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(user, arguments),
        _ => unknown(method),
    }
}

fn frozen(frozen: &mut FrozenStorage<Bytes>, method: &str, arguments: &Arguments<'_>) -> Outcome<Value> {
    match method {
        "insert" => frozen.insert(arguments.bytes("value")?).map(|hash| Value::from(hex::encode(hash))).map_err(text),
        "get" => Ok(json!(frozen.get(&arguments.hash("hash")?).map_err(text)?.map(hex::encode))),
        "contains" => frozen.contains(&arguments.hash("hash")?).map(Value::from).map_err(text),
        "reassign" => {
            frozen.reassign_deterministic_id(arguments.text("name")?);
            Ok(Value::Null)
        }
        "merge" => merged(frozen, arguments),
        _ => unknown(method),
    }
}
