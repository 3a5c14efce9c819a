//! `calimero-runtime` 0.10.0 over JSON lines: one request a line on stdin, one answer a line on stdout.

mod fixed;
mod rows;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use calimero_runtime::logic::{ContextHost, Outcome};
use calimero_runtime::{Engine, Module};
use fixed::Fixed;
use rand::RngCore;
use rows::{Changes, Column, Rows};
use serde_json::{json, Map, Value};

type Answer = Result<Value, String>;

#[derive(Default)]
struct Replica {
    state: Rows,
    private: Rows,
}

#[derive(Default)]
struct Oracle {
    engine: Engine,
    modules: BTreeMap<String, Module>,
    replicas: BTreeMap<String, Replica>,
}

#[derive(Debug)]
struct Members(Vec<[u8; 32]>);

impl ContextHost for Members {
    fn is_member(&self, public_key: &[u8; 32]) -> bool {
        self.0.contains(public_key)
    }

    fn members(&self) -> Vec<[u8; 32]> {
        self.0.clone()
    }
}

fn text<'a>(request: &'a Value, name: &str) -> Result<&'a str, String> {
    request[name].as_str().ok_or_else(|| format!("{name} must be a string"))
}

fn bytes(request: &Value, name: &str) -> Result<Vec<u8>, String> {
    hex::decode(text(request, name)?).map_err(|error| format!("{name}: {error}"))
}

fn id(raw: Vec<u8>) -> Result<[u8; 32], String> {
    raw.try_into().map_err(|_| "an id takes 32 bytes".to_owned())
}

fn number(request: &Value, name: &str) -> Result<u64, String> {
    request[name].as_u64().ok_or_else(|| format!("{name} must be a number"))
}

fn members(request: &Value) -> Result<Members, String> {
    let listed = request["members"].as_array().ok_or("members must be a list")?;
    let one = |member: &Value| id(hex::decode(member.as_str().unwrap_or("")).map_err(|e| e.to_string())?);
    listed.iter().map(one).collect::<Result<_, _>>().map(Members)
}

fn fixed(request: &Value) -> Result<Fixed, String> {
    Ok(Fixed { now: number(request, "now")?, step: number(request, "step")?, seed: number(request, "seed")? })
}

fn changes(changed: &Changes) -> Value {
    let row = |(key, value): (&[u8; 32], &Option<Vec<u8>>)| (hex::encode(key), json!(value.as_ref().map(hex::encode)));
    changed.iter().map(row).collect::<Map<_, _>>().into()
}

fn outcome(outcome: &Outcome, state: &Changes, private: &Changes) -> Value {
    let (returns, error) = match &outcome.returns {
        Ok(returns) => (returns.as_ref().map(hex::encode), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let event = |e: &calimero_runtime::logic::Event| json!([e.kind, hex::encode(&e.data), e.handler]);
    let xcall =
        |x: &calimero_runtime::logic::XCall| json!([hex::encode(x.context_id), x.function, hex::encode(&x.params)]);
    json!({
        "returns": returns,
        "error": error,
        "logs": outcome.logs,
        "events": outcome.events.iter().map(event).collect::<Vec<_>>(),
        "xcalls": outcome.xcalls.iter().map(xcall).collect::<Vec<_>>(),
        "root": outcome.root_hash.map(hex::encode),
        "artifact": hex::encode(&outcome.artifact),
        "state": changes(state),
        "private": changes(private),
    })
}

fn keep(rows: &mut Rows, changes: Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(rows.insert(key, value)),
            None => drop(rows.remove(&key)),
        }
    }
}

impl Oracle {
    fn answer(&mut self, request: &Value) -> Answer {
        match text(request, "op")? {
            "module" => self.load(request),
            "reset" => Ok(json!(self.replicas.clear())),
            "run" => self.run(request),
            "random" => random(request),
            other => Err(format!("no operation {other}")),
        }
    }

    fn load(&mut self, request: &Value) -> Answer {
        let code = bytes(request, "code")?;
        let module = self.engine.compile(&code).map_err(|error| error.to_string())?;
        self.modules.insert(text(request, "name")?.to_owned(), module);
        Ok(Value::Null)
    }

    /// One call as a node makes it: rows stay as they were unless it succeeds and commits a root.
    fn run(&mut self, request: &Value) -> Answer {
        let module = self.modules.get(text(request, "module")?).ok_or("load the module first")?;
        let replica = self.replicas.entry(text(request, "replica")?.to_owned()).or_default();
        let mut state = Column { committed: &replica.state, changes: Changes::new() };
        let mut private = Column { committed: &replica.private, changes: Changes::new() };
        let (context, executor) = (id(bytes(request, "context")?)?, id(bytes(request, "executor")?)?);
        let (method, input, host) = (text(request, "method")?, bytes(request, "input")?, members(request)?);
        let result = fixed::with(fixed(request)?, || {
            let host: Box<dyn ContextHost> = Box::new(host);
            module
                .run(context.into(), executor.into(), method, &input, &mut state, Some(&mut private), None, Some(host))
                .map_err(|error| error.to_string())
        })?;
        let commits = result.returns.is_ok() && result.root_hash.is_some();
        let (state, private) = if commits { (state.effective(), private.effective()) } else { Default::default() };
        let answer = outcome(&result, &state, &private);
        keep(&mut replica.state, state);
        keep(&mut replica.private, private);
        Ok(answer)
    }
}

/// The first bytes that a call with this seed draws.
fn random(request: &Value) -> Answer {
    let mut drawn = vec![0; number(request, "size")? as usize];
    let (now, step, seed) = (0, 0, number(request, "seed")?);
    fixed::with(Fixed { now, step, seed }, || rand::thread_rng().fill_bytes(&mut drawn));
    Ok(json!(hex::encode(drawn)))
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let mut oracle = Oracle::default();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("stdin is readable");
        let answer = serde_json::from_str(&line).map_err(|e| e.to_string()).and_then(|r| oracle.answer(&r));
        let answer = answer.map_or_else(|error| json!({ "error": error }), |ok| json!({ "ok": ok }));
        writeln!(output, "{answer}").and_then(|()| output.flush()).expect("stdout is writable");
    }
}
