//! Prints the ABI manifest of one app, read from its source, as JSON.
//!
//! The crate's own `validate_manifest` is not called: it wants methods sorted by name, and the emitter of the same
//! version keeps source order.

use std::{env, error::Error, fs};

use calimero_wasm_abi::emitter::emit_manifest;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: abi PATH/TO/lib.rs")?;
    let source = fs::read_to_string(&path).map_err(|cause| format!("{path}: {cause}"))?;
    println!("{}", serde_json::to_string_pretty(&emit_manifest(&source)?)?);
    Ok(())
}
