//! The reference's graph behind lines of text: one operation a line in, one line of answer and whole state out.

use std::collections::HashSet;
use std::future::Future;
use std::io::{self, BufRead, BufWriter, Write};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use calimero_dag::{ApplyError, CausalDelta, DagStore, DeltaApplier};

type Id = [u8; 32];

/// Applies nothing, keeps the order, and fails for the ids that it was told.
#[derive(Default)]
struct Applier {
    order: Mutex<Vec<Id>>,
    failing: Mutex<HashSet<Id>>,
}

#[async_trait::async_trait]
impl DeltaApplier<()> for Applier {
    async fn apply(&self, delta: &CausalDelta<()>) -> Result<(), ApplyError> {
        if self.failing.lock().unwrap().contains(&delta.id) {
            return Err(ApplyError::Application("told to".into()));
        }
        self.order.lock().unwrap().push(delta.id);
        Ok(())
    }
}

/// The graph never waits for anything but its applier, which never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn id(text: &str) -> Id {
    let number: u64 = text.parse().expect("an id is a decimal number");
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn ids(text: Option<&&str>) -> Vec<Id> {
    text.map_or_else(Vec::new, |text| text.split(',').map(id).collect())
}

fn text(ids: impl IntoIterator<Item = Id>) -> String {
    let numbers = ids.into_iter().map(|id| u64::from_be_bytes(id[24..].try_into().unwrap()).to_string());
    numbers.collect::<Vec<_>>().join(",")
}

fn delta(words: &[&str]) -> CausalDelta<()> {
    let mut delta = CausalDelta::checkpoint(id(words[1]), [0; 32]);
    delta.parents = ids(words.get(2));
    delta
}

fn step(dag: &mut DagStore<()>, applier: &mut Applier, words: &[&str]) -> String {
    match words[0] {
        "new" => {
            *dag = DagStore::new([0; 32]);
            *applier = Applier::default();
            "ok".into()
        }
        "fail" => applier.failing.lock().unwrap().insert(id(words[1])).to_string(),
        "heal" => applier.failing.lock().unwrap().remove(&id(words[1])).to_string(),
        "add" => run(dag.add_delta(delta(words), applier)).map_or_else(|_| "error".into(), |done| done.to_string()),
        "restore" => dag.restore_applied_delta(delta(words)).to_string(),
        "process" => run(dag.try_process_pending(applier)).map_or_else(|_| "error".into(), |done| done.to_string()),
        "sweep" => dag.cleanup_stale(Duration::ZERO).to_string(),
        other => panic!("no operation {other}"),
    }
}

fn main() -> io::Result<()> {
    let (mut dag, mut applier) = (DagStore::new([0; 32]), Applier::default());
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = step(&mut dag, &mut applier, &words);
        let order = std::mem::take(&mut *applier.order.lock().unwrap());
        writeln!(
            out,
            "{answer};{};{};{};{}",
            text(order),
            text(dag.get_heads()),
            text(dag.get_pending_delta_ids()),
            text(dag.get_missing_parents(usize::MAX)),
        )?;
        out.flush()?;
    }
    Ok(())
}
