#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests are about files of the real machine"
)]

use super::super::check::check;
use super::super::schema::{APPLICATION_ID, FORMAT};
use super::super::wal::Log;
use super::*;
use crate::host::Os;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use std::path::Path;

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A file of stock SQLite with about everything that a schema can have, much of which was deleted again.
fn fill(path: &Path, page_bytes: u32, seed: u64) {
    let mut dice = Dice(seed);
    let mut sqlite = Connection::open(path).unwrap();
    sqlite.pragma_update(None, "page_size", page_bytes).unwrap();
    sqlite.pragma_update(None, "journal_mode", "wal").unwrap();
    sqlite
        .execute_batch(
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, bytes BLOB);
             CREATE INDEX a_text ON a (text);
             CREATE TABLE gone (bytes BLOB);
             CREATE TABLE b (name TEXT PRIMARY KEY, bytes BLOB) WITHOUT ROWID;
             CREATE TABLE empty (x);
             CREATE TABLE c (x, y, z);
             CREATE UNIQUE INDEX c_part ON c (y DESC, x) WHERE z IS NOT NULL;
             CREATE VIEW v AS SELECT a.id, c.x FROM a JOIN c ON a.id = c.x;
             CREATE TRIGGER t AFTER DELETE ON c BEGIN INSERT INTO empty VALUES (OLD.x); END;",
        )
        .unwrap();
    let transaction = sqlite.transaction().unwrap();
    for row in 0..600 {
        let long = if dice.below(8) == 0 { 20 * u64::from(page_bytes) } else { u64::from(page_bytes) / 6 };
        let mut bytes = || vec![dice.below(256) as u8; dice.below(long.min(60_000)) as usize];
        let text = |bytes: Vec<u8>| format!("{row} {}", "x".repeat(bytes.len() / 2));
        transaction.execute("INSERT INTO a (text, bytes) VALUES (?, ?)", params![text(bytes()), bytes()]).unwrap();
        transaction.execute("INSERT INTO gone VALUES (?)", [bytes()]).unwrap();
        transaction.execute("INSERT INTO b VALUES (?, ?)", params![text(bytes()), bytes()]).unwrap();
        transaction.execute("INSERT INTO c VALUES (?, ?, ?)", params![row, text(bytes()), bytes()]).unwrap();
    }
    transaction.commit().unwrap();
    // Trees that begin late, one of them with a name that has a page of its own in the schema.
    let name = "n".repeat(60);
    sqlite.execute_batch(&format!("CREATE TABLE {name} (x); CREATE INDEX i{name} ON {name} (x);")).unwrap();
    sqlite.execute(&format!("INSERT INTO {name} SELECT bytes FROM b LIMIT 50"), []).unwrap();
    sqlite.execute_batch("DROP TABLE gone").unwrap();
    for table in ["a", "b", "c"] {
        let parts = dice.below(4) + 1;
        let column = if table == "b" { "length(bytes)" } else { "rowid" };
        sqlite.execute(&format!("DELETE FROM {table} WHERE {column} % 5 < {parts}"), []).unwrap();
    }
    assert_eq!(sqlite.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)), Ok(0));
}

/// All that a query finds.
fn all(sqlite: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = sqlite.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// A row as bytes.
fn flat(row: &[Value]) -> Vec<u8> {
    let bytes = |value: &Value| match value {
        Value::Null => vec![0],
        Value::Integer(number) => [&[1][..], &number.to_be_bytes()].concat(),
        Value::Real(number) => [&[2][..], &number.to_be_bytes()].concat(),
        Value::Text(text) => [&[3][..], text.as_bytes(), &[0]].concat(),
        Value::Blob(bytes) => [&[4][..], &bytes.len().to_be_bytes(), bytes].concat(),
    };
    row.iter().flat_map(bytes).collect()
}

/// All that is in a file, in no order.
fn contents(sqlite: &Connection) -> BTreeMap<String, Vec<Vec<u8>>> {
    let tables = all(sqlite, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
    let names = tables.into_iter().map(|row| match &row[0] {
        Value::Text(name) => name.clone(),
        other => panic!("{other:?}"),
    });
    let of = |name: String| {
        let mut rows: Vec<Vec<u8>> =
            all(sqlite, &format!("SELECT * FROM {name}")).iter().map(|row| flat(row)).collect();
        rows.sort();
        (name, rows)
    };
    let mut contents: BTreeMap<_, _> = names.map(of).collect();
    let schema = all(sqlite, "SELECT type, name, tbl_name, sql FROM sqlite_schema");
    contents.insert("schema".into(), schema.iter().map(|row| flat(row)).collect());
    contents
}

fn number(sqlite: &Connection, sql: &str) -> u64 {
    sqlite.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

#[tokio::test]
async fn whatever_is_in_a_file_is_in_the_smaller_one() {
    for (seed, page_bytes) in [512, 1024, 4096, 65_536].into_iter().cycle().take(12).enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("some.db");
        fill(&path, page_bytes, seed as u64);
        let sqlite = Connection::open(&path).unwrap();
        let before = contents(&sqlite);
        let [pages, free] = ["page_count", "freelist_count"].map(|it| number(&sqlite, &format!("PRAGMA {it}")));
        assert!(free > 20, "{free} of {pages} pages are free");
        drop(sqlite);
        // Many small rounds, or one.
        let most = if seed % 2 == 0 { 40 } else { usize::MAX };
        let mut compaction = begin(&path, most).await.unwrap();
        let mut rounds = 0;
        while compaction.round().await.unwrap() {
            // Stock SQLite reads the log, and moves it into the file.
            let sqlite = Connection::open(&path).unwrap();
            assert_eq!(all(&sqlite, "PRAGMA integrity_check"), [[Value::Text("ok".into())]], "seed {seed}");
            assert!(contents(&sqlite) == before, "seed {seed}, round {rounds}");
            assert_eq!(number(&sqlite, "PRAGMA page_count") * u64::from(page_bytes), compaction.bytes());
            rounds += 1;
        }
        let sqlite = Connection::open(&path).unwrap();
        assert_eq!(number(&sqlite, "PRAGMA page_count"), pages - free, "seed {seed}");
        assert_eq!(number(&sqlite, "PRAGMA freelist_count"), 0);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), compaction.bytes());
        assert!(if seed % 2 == 0 { rounds > 1 } else { rounds == 1 }, "{rounds} rounds, seed {seed}");
    }
}

/// The checkpoint after a round writes the first page and cuts the file, and its sync fails: then the first may be lost, and the
/// second not. Found by a simulator.
#[tokio::test]
async fn a_file_that_is_cut_under_an_older_first_page_is_whole_with_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.db");
    fill(&path, 4096, 5);
    let sqlite = Connection::open(&path).unwrap();
    sqlite.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    sqlite.pragma_update(None, "user_version", FORMAT).unwrap();
    drop(sqlite);
    let os = Os::new().unwrap();
    let mut compaction = begin(&path, usize::MAX).await.unwrap();
    assert!(compaction.round().await.unwrap());
    let file = os.disk().open(&path, OpenMode::Existing).unwrap();
    assert!(compaction.bytes() < file.length().unwrap());
    file.truncate(compaction.bytes()).unwrap();
    assert!(check(&path, &file, || Log::read(os.disk(), &path)).is_ok());
    let truncated = || {
        let error = check(&path, &file, || Log::read(os.disk(), &path)).err().expect("it is truncated");
        assert!(error.to_string().contains("it is truncated"), "{error}");
    };
    // A log that no compaction began says nothing of the kind.
    let log = beside(&path, "-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[12..16].fill(0);
    std::fs::write(&log, bytes).unwrap();
    truncated();
    // Without the log it is less than it says.
    std::fs::remove_file(log).unwrap();
    truncated();
}

/// Whoever loses the log of a round must not make the next one, of pages that are not where it takes them to be.
#[tokio::test]
async fn no_round_is_made_over_a_file_that_another_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.db");
    fill(&path, 1024, 6);
    let mut compaction = begin(&path, 10).await.unwrap();
    assert!(compaction.round().await.unwrap());
    std::fs::remove_file(beside(&path, "-wal")).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let error = compaction.round().await.unwrap_err();
    assert!(matches!(&error, StoreError::Broken(why) if why.contains("was left with")), "{error}");
    assert!(std::fs::read(&path).unwrap() == whole && !beside(&path, "-wal").exists());
}

async fn begin(path: &Path, most: usize) -> Result<FileCompaction<Os>, StoreError> {
    FileCompaction::begin(Os::new().unwrap(), path.to_owned(), most).await
}

async fn refused(path: &Path) -> String {
    match begin(path, usize::MAX).await {
        Err(StoreError::Refused(why)) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was understood"),
    }
}

#[tokio::test]
async fn a_file_that_is_not_understood_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.db");
    fill(&path, 1024, 3);
    let whole = std::fs::read(&path).unwrap();
    let layout =
        Layout::read(&crate::host::Disk::open(Os::new().unwrap().disk(), &path, OpenMode::Existing).unwrap()).unwrap();
    let page = |number: u32| (number as usize - 1) * 1024;
    // A trunk that counts a page twice, one that counts what there is not, and a page that lost its name.
    let trunk = page(layout.first_free);
    for (at, word, says) in [
        (trunk + 12, u32::from_be_bytes(whole[trunk + 8..trunk + 12].try_into().unwrap()), "counted already"),
        (trunk + 8, layout.pages + 1, "which is not there"),
        (trunk + 4, 5_000, "leads beyond its end"),
        (32, 0, ""),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        std::fs::write(&path, &bytes).unwrap();
        if says.is_empty() {
            let compaction = begin(&path, usize::MAX).await.unwrap();
            assert_eq!(compaction.bytes(), whole.len() as u64, "it has no free page, and is not looked at");
        } else {
            let why = refused(&path).await;
            assert!(why.contains(says) && why.contains("is left as it is"), "{why}");
        }
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
    // A free page that no trunk counts belongs to nobody.
    let count = u32::from_be_bytes(whole[trunk + 4..trunk + 8].try_into().unwrap());
    let mut bytes = whole.clone();
    bytes[trunk + 4..trunk + 8].copy_from_slice(&(count - 1).to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert!(refused(&path).await.ends_with("nothing names it"), "a page belongs to nobody");
    // Any page of a tree.
    let inner = (2..=layout.pages).find(|number| [0x02, 0x05].contains(&whole[page(*number)]));
    let inner = page(inner.expect("a tree of some size"));
    for (at, byte, says) in
        [(0, 0x07, "unknown type 0x07"), (3, 0xff, "leads beyond its end"), (8, 0xff, "which is not there")]
    {
        let mut bytes = whole.clone();
        bytes[inner + at] = byte;
        std::fs::write(&path, &bytes).unwrap();
        let why = refused(&path).await;
        assert!(why.contains(says), "{why}");
    }
    let sqlite = directory.path().join("vacuumed.db");
    let connection = Connection::open(&sqlite).unwrap();
    connection.execute_batch("PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL; CREATE TABLE t (x);").unwrap();
    drop(connection);
    assert!(refused(&sqlite).await.contains("as SQLite's auto-vacuum does"));
}

#[test]
fn no_bytes_make_the_reader_of_a_page_panic() {
    let mut dice = Dice(7);
    for round in 0..200_000 {
        let mut page: Vec<u8> =
            (0..512).map(|_| if round % 3 == 0 { dice.below(4) } else { dice.below(256) } as u8).collect();
        page[0] = [0x02, 0x05, 0x0a, 0x0d][round % 4];
        // A few cells, so that it gets to them.
        (page[3], page[4]) = (0, dice.below(6) as u8);
        for cell in 0..6 {
            page[8 + 2 * cell] = dice.below(2) as u8;
        }
        for kind in [Kind::Schema, Kind::Tree, Kind::Overflow] {
            for pointer in pointers(2, kind, &page, 496).unwrap_or_default() {
                assert!(pointer.range().end <= 496 && pointer.to != 0);
            }
        }
        drop(freelist(&page, 496));
    }
}
