//! The storage crate of the reference behind one JSON call, as a guest of any host with the `env` imports.
//!
//! Clock, randomness, ids, rows and signatures are host functions, so the host decides all that could differ between
//! two runs. The instance keeps what the crate keeps a process: pending actions, clock state, cached root id.

mod arguments;
mod codec;
mod collections;
mod js;
mod leaf;
mod merge;
mod tree;

use calimero_sdk::env;
use serde_json::{json, Value};

use arguments::{Arguments, Outcome};

/// Runs the operation in the input, `{"op": NAME, ...}`; returns `{"ok": VALUE}` or `{"error": TEXT}`.
#[no_mangle]
pub extern "C" fn run() {
    env::setup_panic_hook();
    let answer = match answer(&env::input().unwrap_or_default()) {
        Ok(value) => json!({ "ok": value }),
        Err(text) => json!({ "error": text }),
    };
    env::value_return(&Ok::<Vec<u8>, Vec<u8>>(answer.to_string().into_bytes()));
}

fn answer(input: &[u8]) -> Outcome<Value> {
    let request: Value = serde_json::from_slice(input).map_err(|cause| format!("request: {cause}"))?;
    let arguments = Arguments::new(&request);
    let op = arguments.text("op")?;
    let group = op.split_once('.').map_or(op, |(group, _)| group);
    match group {
        "codec" => codec::run(op, &arguments),
        "col" => collections::run(op, &arguments),
        "js" => js::run(op, &arguments),
        "merge" => merge::run(op, &arguments),
        "tree" => tree::run(op, &arguments),
        _ => unknown(op),
    }
}

/// The answer to an operation that no group has.
fn unknown(op: &str) -> Outcome<Value> {
    Err(format!("unknown operation: {op}"))
}
