//! JSON documents, one after the other, each read up to the place of its records. Everything else
//! is skipped, and only the current record is kept.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Write as _};
use std::io::{self, Read};
use std::rc::Rc;

use anyhow::Result;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::records::pointer::{self, Pointer};
use crate::records::record::{Content, Record};
use crate::records::text::{Position, Text};
use crate::records::{Each, Summary, Wanted, astray, stands_twice};

/// So many arrays and members are named if a pointer leads nowhere.
const MAX_NAMED: usize = 20;
/// So deep they are looked for.
const MAX_STEPS: usize = 3;

/// Reads the records of all documents.
///
/// # Errors
///
/// As [`super::read`].
pub(super) fn read<R: Read>(
    mut text: Text<R>,
    wanted: &Wanted<'_>,
    each: &mut Each<'_>,
) -> Result<Summary> {
    let position = text.position();
    let summary = Summary::default();
    let mut walk =
        Walk { wanted, position, each, summary, failure: None, sketch: Sketch::default() };
    let mut nowhere = None;
    while let Some(first) = text.skip_space()? {
        let (line, column) = (walk.position.line.get(), walk.position.column());
        if column == 0 && matches!(first, b'<' | b'=' | b'>' | b'|') {
            anyhow::bail!("line {line}: git's conflict marker, or another line that is not JSON");
        }
        anyhow::ensure!(
            first == b'{' || first == b'[',
            "line {line}, column {}: the previous document has ended, and this does not begin another",
            column + 1
        );
        walk.summary.n_documents += 1;
        // It ends with its last bracket, and looks at no byte after that.
        let mut json = serde_json::Deserializer::from_reader(&mut text);
        let end = walk.at(Role::Way(0)).deserialize(&mut json);
        let end = end
            .map_err(|error| walk.failure.take().unwrap_or_else(|| explain(error, line, column)));
        if let End::Nowhere(what) = end? {
            walk.summary.n_without += 1;
            nowhere.get_or_insert(what);
        }
    }
    match nowhere {
        Some(what) if walk.summary.n_without == walk.summary.n_documents => {
            Err(astray(what, walk.sketch.hint()))
        }
        _ => Ok(walk.summary),
    }
}

/// The members of a record that are wanted, and the names of all if it is the first one.
type Members = (BTreeMap<String, Box<RawValue>>, Vec<String>);

/// What came of a place.
enum End {
    /// Its records were read.
    Read,
    /// The way ended before it, or nothing is there.
    Nowhere(String),
}

/// What a place is to the walk.
enum Role {
    /// So many steps of the pointer lead to it.
    Way(usize),
    /// A record.
    Record,
    /// Beside the way.
    Aside(Pointer),
}

struct Walk<'w> {
    wanted: &'w Wanted<'w>,
    position: Rc<Position>,
    each: &'w mut Each<'w>,
    summary: Summary,
    /// What stopped the walk, if that was not the document.
    failure: Option<anyhow::Error>,
    sketch: Sketch,
}

/// What the first document is made of, for who looks in the wrong place.
#[derive(Default)]
struct Sketch {
    /// Its arrays, and how many elements they have.
    arrays: Vec<(Pointer, u64)>,
}

/// A place that is read now.
struct At<'a, 'w> {
    walk: &'a mut Walk<'w>,
    role: Role,
}

impl<'w> Walk<'w> {
    fn at(&mut self, role: Role) -> At<'_, 'w> {
        At { walk: self, role }
    }

    fn hand_on<E: Error>(
        &mut self,
        content: Content<'_>,
        line: u64,
        names: Vec<String>,
    ) -> Result<End, E> {
        self.summary.n_records += 1;
        let number = self.summary.n_records;
        let elsewhere = self.summary.elsewhere.clone().filter(|_| number == 1);
        let record = Record { number, line, names, elsewhere, content };
        (self.each)(&record, self.position.n_bytes()).map_err(|failure| {
            self.failure = Some(failure);
            E::custom("stopped")
        })?;
        Ok(End::Read)
    }

    /// Takes a value beside the way.
    fn pass<'de, A: MapAccess<'de>>(
        &mut self,
        members: &mut A,
        place: Pointer,
    ) -> Result<(), A::Error> {
        if self.summary.n_documents == 1 && place.steps.len() <= MAX_STEPS {
            members.next_value_seed(self.at(Role::Aside(place)))?;
        } else {
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = End;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<End, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = End;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<End, A::Error> {
        match self.role {
            Role::Way(n) if n < self.walk.wanted.pointer.steps.len() => {
                self.walk.through_object(members, n)
            }
            Role::Way(_) => self.walk.only_record(members),
            Role::Record => self.walk.record(members),
            Role::Aside(place) => self.walk.sketch_object(members, &place),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<End, A::Error> {
        match self.role {
            Role::Way(n) if n < self.walk.wanted.pointer.steps.len() => {
                self.walk.through_array(items, n)
            }
            Role::Way(_) => {
                while items.next_element_seed(self.walk.at(Role::Record))?.is_some() {}
                Ok(End::Read)
            }
            Role::Record => {
                let line = self.walk.position.line.get();
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                self.walk.hand_on(Content::Items(all), line, Vec::new())
            }
            Role::Aside(place) => {
                let mut n_items = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    n_items += 1;
                }
                self.walk.sketch.arrays.push((place, n_items));
                Ok(End::Read)
            }
        }
    }

    fn visit_unit<E: Error>(self) -> Result<End, E> {
        self.scalar("`null`")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<End, E> {
        self.scalar(if value { "`true`" } else { "`false`" })
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<End, E> {
        self.scalar("a number")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<End, E> {
        self.scalar("a number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<End, E> {
        self.scalar("a number")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<End, E> {
        self.scalar("a text")
    }
}

impl At<'_, '_> {
    fn scalar<E: Error>(self, kind: &str) -> Result<End, E> {
        match self.role {
            Role::Aside(_) => Ok(End::Read),
            Role::Way(n) => Ok(End::Nowhere(self.walk.wanted.pointer.leads_to(n, kind))),
            Role::Record => Err(E::custom(format_args!(
                "record {} is {kind}, not an object",
                self.walk.summary.n_records + 1
            ))),
        }
    }
}

impl Walk<'_> {
    fn record<'de, A: MapAccess<'de>>(&mut self, members: A) -> Result<End, A::Error> {
        let line = self.position.line.get();
        let skip = |_: &mut Self, members: &mut A, _: &str| {
            members.next_value::<IgnoredAny>()?;
            Ok(())
        };
        let (taken, names) = self.members(members, skip)?;
        self.hand_on(Content::Members(taken), line, names)
    }

    /// An object at the pointer itself: a record, or the wrong place.
    fn only_record<'de, A: MapAccess<'de>>(&mut self, members: A) -> Result<End, A::Error> {
        let line = self.position.line.get();
        let pointer = self.wanted.pointer;
        let pass =
            |walk: &mut Self, members: &mut A, name: &str| walk.pass(members, pointer.join(name));
        let (taken, names) = self.members(members, pass)?;
        if self.summary.n_documents == 1 && !self.sketch.arrays.is_empty() {
            self.summary.elsewhere = Some(self.sketch.hint());
        }
        self.hand_on(Content::Members(taken), line, names)
    }

    /// The members that are wanted, and the names of all if it is the first record.
    fn members<'de, A: MapAccess<'de>>(
        &mut self,
        mut members: A,
        skip: impl Fn(&mut Self, &mut A, &str) -> Result<(), A::Error>,
    ) -> Result<Members, A::Error> {
        let (mut taken, mut names) = (BTreeMap::new(), Vec::new());
        while let Some(name) = members.next_key::<String>()? {
            if self.summary.n_records == 0 && names.len() < MAX_NAMED {
                names.push(name.clone());
            }
            if !(self.wanted.takes)(&name) {
                skip(self, &mut members, &name)?;
                self.summary.leave(&name);
                continue;
            }
            match taken.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(members.next_value()?);
                }
                Entry::Occupied(before) => return Err(stands_twice(before.key())),
            }
        }
        Ok((taken, names))
    }

    fn through_object<'de, A: MapAccess<'de>>(
        &mut self,
        mut members: A,
        n_steps: usize,
    ) -> Result<End, A::Error> {
        let pointer = self.wanted.pointer;
        let (mut end, mut names) = (None, Vec::new());
        while let Some(name) = members.next_key::<String>()? {
            if name == pointer.steps[n_steps] {
                if end.is_some() {
                    return Err(stands_twice(&name));
                }
                end = Some(members.next_value_seed(self.at(Role::Way(n_steps + 1)))?);
                continue;
            }
            self.pass(&mut members, pointer.up_to(n_steps).join(&name))?;
            if names.len() <= MAX_NAMED {
                names.push(name);
            }
        }
        Ok(end.unwrap_or_else(|| End::Nowhere(pointer.leads_to(n_steps, &listed(&names)))))
    }

    fn through_array<'de, A: SeqAccess<'de>>(
        &mut self,
        mut items: A,
        n_steps: usize,
    ) -> Result<End, A::Error> {
        let pointer = self.wanted.pointer;
        let wanted = pointer::index(&pointer.steps[n_steps]);
        let (mut n_items, mut end) = (0, None);
        loop {
            let is_there = if Some(n_items) == wanted {
                end = items.next_element_seed(self.at(Role::Way(n_steps + 1)))?;
                end.is_some()
            } else {
                items.next_element::<IgnoredAny>()?.is_some()
            };
            if !is_there {
                break;
            }
            n_items += 1;
        }
        Ok(end.unwrap_or_else(|| {
            let place = pointer.up_to(n_steps);
            self.sketch.arrays.push((place, n_items as u64));
            End::Nowhere(pointer.leads_to(n_steps, &format!("an array of {n_items}")))
        }))
    }

    fn sketch_object<'de, A: MapAccess<'de>>(
        &mut self,
        mut members: A,
        place: &Pointer,
    ) -> Result<End, A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            self.pass(&mut members, place.join(&name))?;
        }
        Ok(End::Read)
    }
}

impl Pointer {
    /// Reports that the way ends after so many steps, and what is there.
    fn leads_to(&self, n_steps: usize, what: &str) -> String {
        let here = match self.up_to(n_steps) {
            all if all.steps.is_empty() => "the document".to_owned(),
            here => format!("`{here}`"),
        };
        if n_steps == self.steps.len() {
            return format!("{here} is {what}, not an array or an object");
        }
        format!("there is nothing at `{self}`: {here} is {what}")
    }
}

impl Sketch {
    fn hint(&self) -> String {
        if self.arrays.is_empty() {
            return "there is no array in it; `''` selects the document itself".to_owned();
        }
        let mut hint = "there are arrays at ".to_owned();
        for (at, (place, n_items)) in self.arrays.iter().take(MAX_NAMED).enumerate() {
            let before = if at > 0 { ", " } else { "" };
            let place = if place.steps.is_empty() { "''".to_owned() } else { place.to_string() };
            // Writing into a text never fails.
            let _ = write!(hint, "{before}`{place}` ({n_items})");
        }
        hint
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "an empty object".to_owned();
    }
    let shown: Vec<_> = names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > MAX_NAMED { " and more" } else { "" };
    format!("an object of {}{more}", shown.join(", "))
}

/// An error in a document that begins in a line, after so many bytes of it.
fn explain(error: serde_json::Error, line: u64, column: u64) -> anyhow::Error {
    if error.is_io() {
        return io::Error::from(error).into();
    }
    let here = format!(" at line {} column {}", error.line(), error.column());
    let what = error.to_string();
    let what = what.strip_suffix(&here).unwrap_or(&what);
    let at = line + (error.line() as u64).saturating_sub(1);
    if error.is_eof() {
        return anyhow::anyhow!("it was cut short: what begins in line {line} ends in line {at}");
    }
    let before = if error.line() <= 1 { column } else { 0 };
    anyhow::anyhow!("line {at}, column {}: {what}", before + error.column() as u64)
}
