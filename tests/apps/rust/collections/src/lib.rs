//! One field of each mergeable collection, flat and nested: the fixture for merging concurrent writes.

use std::collections::{BTreeMap, BTreeSet};

use calimero_sdk::app;
use calimero_sdk::borsh::{BorshDeserialize, BorshSerialize};
use calimero_storage::collections::{
    Counter, LwwRegister, NestedMapOps, ReplicatedGrowableArray, UnorderedMap, UnorderedSet, Vector,
};

#[app::state(emits = for<'a> Event<'a>)]
#[derive(BorshSerialize, BorshDeserialize)]
#[borsh(crate = "calimero_sdk::borsh")]
pub struct Collections {
    visits: Counter,
    balance: Counter<true>,
    scores: UnorderedMap<String, Counter>,
    shelves: UnorderedMap<String, UnorderedMap<String, LwwRegister<String>>>,
    journal: Vector<LwwRegister<String>>,
    tags: UnorderedSet<String>,
    topics: UnorderedMap<String, UnorderedSet<String>>,
    title: LwwRegister<String>,
    text: ReplicatedGrowableArray,
}

#[app::event]
pub enum Event<'a> {
    Changed { field: &'a str },
}

#[app::logic]
impl Collections {
    #[app::init]
    pub fn init(title: Option<String>) -> Collections {
        Collections {
            visits: Counter::new(),
            balance: Counter::new(),
            scores: UnorderedMap::new(),
            shelves: UnorderedMap::new(),
            journal: Vector::new(),
            tags: UnorderedSet::new(),
            topics: UnorderedMap::new(),
            title: LwwRegister::new(title.unwrap_or_default()),
            text: ReplicatedGrowableArray::new(),
        }
    }

    // Counters: one that only grows, one that goes both ways, and one for each key of a map.

    pub fn visit(&mut self) -> app::Result<u64> {
        self.visits.increment()?;
        app::emit!(Event::Changed { field: "visits" });
        Ok(self.visits.value()?)
    }

    pub fn visits(&self) -> app::Result<u64> {
        Ok(self.visits.value()?)
    }

    pub fn deposit(&mut self) -> app::Result<i64> {
        self.balance.increment()?;
        app::emit!(Event::Changed { field: "balance" });
        Ok(self.balance.value()?)
    }

    pub fn withdraw(&mut self) -> app::Result<i64> {
        self.balance.decrement()?;
        app::emit!(Event::Changed { field: "balance" });
        Ok(self.balance.value()?)
    }

    pub fn balance(&self) -> app::Result<i64> {
        Ok(self.balance.value()?)
    }

    pub fn score(&mut self, player: String) -> app::Result<u64> {
        let mut score = self.scores.get(&player)?.unwrap_or_default();
        score.increment()?;
        let value = score.value()?;
        drop(self.scores.insert(player, score)?);
        app::emit!(Event::Changed { field: "scores" });
        Ok(value)
    }

    pub fn scores(&self) -> app::Result<BTreeMap<String, u64>> {
        let mut scores = BTreeMap::new();
        for (player, score) in self.scores.entries()? {
            let _ = scores.insert(player, score.value()?);
        }
        Ok(scores)
    }

    // A map of maps of registers.

    pub fn put(&mut self, shelf: String, item: String, value: String) -> app::Result<Option<String>> {
        let old = self.shelves.insert_nested(shelf, item, value.into())?;
        app::emit!(Event::Changed { field: "shelves" });
        Ok(old.map(LwwRegister::into_inner))
    }

    pub fn take(&mut self, shelf: String, item: String) -> app::Result<Option<String>> {
        let old = self.shelves.remove_nested(&shelf, &item)?;
        app::emit!(Event::Changed { field: "shelves" });
        Ok(old.map(LwwRegister::into_inner))
    }

    pub fn item(&self, shelf: String, item: String) -> app::Result<Option<String>> {
        Ok(self.shelves.get_nested(&shelf, &item)?.map(LwwRegister::into_inner))
    }

    pub fn drop_shelf(&mut self, shelf: String) -> app::Result<bool> {
        let dropped = self.shelves.remove(&shelf)?.is_some();
        app::emit!(Event::Changed { field: "shelves" });
        Ok(dropped)
    }

    pub fn shelves(&self) -> app::Result<BTreeMap<String, BTreeMap<String, String>>> {
        let mut shelves = BTreeMap::new();
        for (name, shelf) in self.shelves.entries()? {
            let items = shelf.entries()?.map(|(item, value)| (item, value.into_inner())).collect();
            let _ = shelves.insert(name, items);
        }
        Ok(shelves)
    }

    // A vector of registers.

    pub fn append(&mut self, line: String) -> app::Result<u64> {
        self.journal.push(line.into())?;
        app::emit!(Event::Changed { field: "journal" });
        Ok(self.journal.len()? as u64)
    }

    pub fn rewrite(&mut self, index: u32, line: String) -> app::Result<Option<String>> {
        let old = self.journal.update(index as usize, line.into())?;
        app::emit!(Event::Changed { field: "journal" });
        Ok(old.map(LwwRegister::into_inner))
    }

    pub fn pop(&mut self) -> app::Result<Option<String>> {
        let last = self.journal.pop()?;
        app::emit!(Event::Changed { field: "journal" });
        Ok(last.map(LwwRegister::into_inner))
    }

    pub fn line(&self, index: u32) -> app::Result<Option<String>> {
        Ok(self.journal.get(index as usize)?.map(LwwRegister::into_inner))
    }

    pub fn journal(&self) -> app::Result<Vec<String>> {
        Ok(self.journal.iter()?.map(LwwRegister::into_inner).collect())
    }

    // Sets: one, and one for each key of a map.

    pub fn tag(&mut self, tag: String) -> app::Result<bool> {
        let added = self.tags.insert(tag)?;
        app::emit!(Event::Changed { field: "tags" });
        Ok(added)
    }

    pub fn untag(&mut self, tag: String) -> app::Result<bool> {
        let removed = self.tags.remove(&tag)?;
        app::emit!(Event::Changed { field: "tags" });
        Ok(removed)
    }

    pub fn tags(&self) -> app::Result<BTreeSet<String>> {
        Ok(self.tags.iter()?.collect())
    }

    pub fn file_under(&mut self, topic: String, tag: String) -> app::Result<bool> {
        let mut tags = self.topics.get(&topic)?.unwrap_or_default();
        let added = tags.insert(tag)?;
        drop(self.topics.insert(topic, tags)?);
        app::emit!(Event::Changed { field: "topics" });
        Ok(added)
    }

    pub fn topics(&self) -> app::Result<BTreeMap<String, BTreeSet<String>>> {
        let mut topics = BTreeMap::new();
        for (topic, tags) in self.topics.entries()? {
            let _ = topics.insert(topic, tags.iter()?.collect());
        }
        Ok(topics)
    }

    // A register that is a field of the state itself.

    pub fn set_title(&mut self, title: String) {
        self.title.set(title);
        app::emit!(Event::Changed { field: "title" });
    }

    pub fn title(&self) -> String {
        self.title.get().clone()
    }

    // Text.

    pub fn write(&mut self, position: u32, text: String) -> app::Result<String> {
        self.text.insert_str(position as usize, &text)?;
        app::emit!(Event::Changed { field: "text" });
        Ok(self.text.get_text()?)
    }

    pub fn erase(&mut self, start: u32, end: u32) -> app::Result<String> {
        self.text.delete_range(start as usize, end as usize)?;
        app::emit!(Event::Changed { field: "text" });
        Ok(self.text.get_text()?)
    }

    pub fn text(&self) -> app::Result<String> {
        Ok(self.text.get_text()?)
    }
}
