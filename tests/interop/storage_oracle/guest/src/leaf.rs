//! An entity whose data is any bytes.

use std::io::{Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use calimero_primitives::crdt::CrdtType;
use calimero_storage::address::Id;
use calimero_storage::entities::{ChildInfo, Data, Element};
use std::collections::BTreeMap;

use crate::arguments::{Arguments, Outcome};

pub struct Leaf {
    data: Vec<u8>,
    element: Element,
}

impl Leaf {
    /// From `id?`, `data`, `crdt_type?`, `field_name?`, `owner?`, `frozen?`, `updated_at?`; created now.
    pub fn from_arguments(arguments: &Arguments<'_>) -> Outcome<Self> {
        let id = arguments.optional_id("id")?;
        let field = arguments.optional("field_name").and_then(|name| name.as_str()).map(str::to_owned);
        let mut element = match arguments.optional("crdt_type") {
            Some(_) => Element::new_with_field_name_and_crdt_type(id, field, arguments.borsh::<CrdtType>("crdt_type")?),
            None => Element::new_with_field_name(id, field),
        };
        if arguments.optional("owner").is_some() {
            element.set_user_domain(arguments.hash("owner")?.into());
        }
        if arguments.flag("frozen") {
            element.set_frozen_domain();
        }
        if arguments.optional("updated_at").is_some() {
            element.set_updated_at(arguments.number("updated_at")?);
        }
        Ok(Self { data: arguments.bytes("data")?, element })
    }
}

impl BorshSerialize for Leaf {
    fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
        writer.write_all(&self.data)
    }
}

impl BorshDeserialize for Leaf {
    fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self> {
        let mut data = Vec::new();
        let _ = reader.read_to_end(&mut data)?;
        Ok(Self { data, element: Element::new(Some(Id::default())) })
    }
}

impl Data for Leaf {
    fn collections(&self) -> BTreeMap<String, Vec<ChildInfo>> {
        BTreeMap::new()
    }

    fn element(&self) -> &Element {
        &self.element
    }

    fn element_mut(&mut self) -> &mut Element {
        &mut self.element
    }
}
