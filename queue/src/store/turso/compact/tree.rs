//! Where a page of a database names other pages.
//!
//! Source of the layout: "Database File Format", sections 1.5 (freelist), 1.6 (b-tree pages), 1.7 (overflow pages), 2.1 (records)
//! and 2.6 (the schema), sqlite.org/fileformat.html.

use std::ops::Range;

/// What a page is, as far as it matters for where it names others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the tree whose rows say where all other trees begin.
    Schema,
    /// Of any other tree.
    Tree,
    /// What did not fit into a cell of a tree.
    Overflow,
}

/// A place in a page that names another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The page that it names.
    pub to: u32,
    /// What that page is.
    pub kind: Kind,
    /// Where it begins.
    pub offset: u16,
    /// How many bytes it has: four, or in a row of the schema any number up to eight.
    pub width: u8,
}

impl Pointer {
    /// Where it stands in its page.
    pub fn range(self) -> Range<usize> {
        usize::from(self.offset)..usize::from(self.offset) + usize::from(self.width)
    }
}

/// Why a page can't be understood.
pub type Odd = String;

const INDEX: u8 = 0x02;
const TABLE: u8 = 0x05;
const INDEX_LEAF: u8 = 0x0a;
const TABLE_LEAF: u8 = 0x0d;
/// Where the first page begins to be one of a tree, behind the header of the file.
const FIRST_PAGE_BEGINS: usize = 100;

/// All pages that page `number` names, none of them twice. `usable` is how many of its bytes are not reserved.
///
/// # Errors
/// What does not go together in it.
pub fn pointers(number: u32, kind: Kind, page: &[u8], usable: usize) -> Result<Vec<Pointer>, Odd> {
    let reader = Reader { page: page.get(..usable).ok_or("it is shorter than it says")?, usable };
    match kind {
        Kind::Overflow => Ok(reader.pointer(0, Kind::Overflow)?.into_iter().collect()),
        Kind::Schema | Kind::Tree => reader.cells(if number == 1 { FIRST_PAGE_BEGINS } else { 0 }, kind),
    }
}

/// The pages that a trunk of the freelist names, and the next trunk.
///
/// # Errors
/// What does not go together in it.
pub fn freelist(page: &[u8], usable: usize) -> Result<(Option<u32>, Vec<u32>), Odd> {
    let reader = Reader { page: page.get(..usable).ok_or("it is shorter than it says")?, usable };
    let count = reader.word(4)? as usize;
    let leaves = (0..count).map(|leaf| reader.word(8 + 4 * leaf)).collect::<Result<_, _>>()?;
    let next = reader.word(0)?;
    Ok(((next != 0).then_some(next), leaves))
}

/// How many pages a trunk of the freelist names at the most. Early versions of SQLite take one with six more for damaged.
pub fn freelist_leaves_max(usable: usize) -> usize {
    usable / 4 - 8
}

struct Reader<'a> {
    page: &'a [u8],
    usable: usize,
}

impl Reader<'_> {
    fn cells(&self, begins: usize, kind: Kind) -> Result<Vec<Pointer>, Odd> {
        let page_type = self.byte(begins)?;
        let is_inner = match page_type {
            INDEX | TABLE => true,
            INDEX_LEAF | TABLE_LEAF => false,
            other => return Err(format!("it is of the unknown type {other:#04x}")),
        };
        let mut found = Vec::new();
        let mut cells = begins + 8;
        if is_inner {
            found.extend(self.pointer(begins + 8, kind)?);
            cells += 4;
        }
        let count = usize::from(u16::from_be_bytes([self.byte(begins + 3)?, self.byte(begins + 4)?]));
        for cell in 0..count {
            let place = cells + 2 * cell;
            let mut at = usize::from(u16::from_be_bytes([self.byte(place)?, self.byte(place + 1)?]));
            if is_inner {
                found.push(self.pointer(at, kind)?.ok_or("a cell of it leads to no page")?);
                at += 4;
            }
            if page_type != TABLE {
                self.payload(at, page_type == TABLE_LEAF, kind, &mut found)?;
            }
        }
        Ok(found)
    }

    /// What the payload of a cell names: the rest of it, and in the schema the root of a tree.
    fn payload(&self, cell: usize, is_row: bool, kind: Kind, found: &mut Vec<Pointer>) -> Result<(), Odd> {
        let (length, mut at) = self.varint(cell)?;
        let length = usize::try_from(length).map_err(|_| "a row of it is too long")?;
        if is_row {
            at = self.varint(at)?.1;
        }
        let local = self.local(length, is_row);
        if local < length {
            let rest = self.pointer(at + local, Kind::Overflow)?;
            found.push(rest.ok_or("the rest of a row of it is nowhere")?);
        }
        if kind == Kind::Schema && is_row {
            found.extend(self.root(at, at + local)?);
        }
        Ok(())
    }

    /// How many bytes of a payload are in its cell.
    fn local(&self, length: usize, is_row: bool) -> usize {
        let most = if is_row { self.usable - 35 } else { (self.usable - 12) * 64 / 255 - 23 };
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fits = least + (length - least) % (self.usable - 4);
        if fits <= most { fits } else { least }
    }

    /// The fourth column of a row of the schema: where the tree of a table or an index begins.
    fn root(&self, row: usize, ends: usize) -> Result<Option<Pointer>, Odd> {
        const TOO_LONG: &str = "a row of the schema is too long";
        let (header, mut at) = self.varint(row)?;
        let mut column = usize::try_from(header).ok().and_then(|header| row.checked_add(header)).ok_or(TOO_LONG)?;
        for _ in ["type", "name", "tbl_name"] {
            let (serial, next) = self.varint(at)?;
            column = column.checked_add(width(serial)?).ok_or(TOO_LONG)?;
            at = next;
        }
        let (serial, _) = self.varint(at)?;
        let width = match serial {
            1..=6 => width(serial)?,
            // A view or a trigger has no tree.
            0 | 8 => return Ok(None),
            other => return Err(format!("a row of the schema names its tree by a value of type {other}")),
        };
        if column.checked_add(width).is_none_or(|end| end > ends) {
            return Err("a row of the schema has a very long name".into());
        }
        let mut number: u64 = 0;
        for byte in column..column + width {
            number = number << 8 | u64::from(self.byte(byte)?);
        }
        let to =
            u32::try_from(number).map_err(|_| "a row of the schema names its tree by a number that is too great")?;
        if to == 0 {
            return Ok(None);
        }
        let offset = u16::try_from(column).expect("it is within a page");
        Ok(Some(Pointer { to, kind: Kind::Tree, offset, width: u8::try_from(width).expect("up to eight") }))
    }

    fn pointer(&self, offset: usize, kind: Kind) -> Result<Option<Pointer>, Odd> {
        let to = self.word(offset)?;
        let offset = u16::try_from(offset).expect("it is within a page");
        Ok((to != 0).then_some(Pointer { to, kind, offset, width: 4 }))
    }

    fn word(&self, at: usize) -> Result<u32, Odd> {
        let bytes = self.page.get(at..at + 4).ok_or("something in it leads beyond its end")?;
        Ok(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    }

    fn byte(&self, at: usize) -> Result<u8, Odd> {
        Ok(*self.page.get(at).ok_or("something in it leads beyond its end")?)
    }

    /// A number, and what comes behind it.
    fn varint(&self, at: usize) -> Result<(u64, usize), Odd> {
        let mut number = 0;
        for place in 0..8 {
            let byte = self.byte(at + place)?;
            number = number << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok((number, at + place + 1));
            }
        }
        Ok((number << 8 | u64::from(self.byte(at + 8)?), at + 9))
    }
}

/// How many bytes a value of a type has in a record.
fn width(serial: u64) -> Result<usize, Odd> {
    match serial {
        0 | 8 | 9 => Ok(0),
        1..=4 => Ok(serial as usize),
        5 => Ok(6),
        6 | 7 => Ok(8),
        10 | 11 => Err("a row of the schema has a value of a type that is not used".into()),
        text => usize::try_from((text - 12) / 2).map_err(|_| "a row of the schema is too long".into()),
    }
}
