//! The candidates behind one trait. Caches are held to 16 MiB where the crate allows it.

use std::path::Path;

/// A revision and its value.
pub type Record<'a> = (u64, &'a [u8]);

/// What the embedded store asks of a crate.
pub trait Candidate {
    /// Writes `puts` and removes `drops` in one durable commit.
    fn commit(&mut self, puts: &[Record], drops: &[u64]);
    fn get(&self, revision: u64) -> usize;
    fn scan(&self, each: &mut dyn FnMut(u64, &[u8]));
    /// Whatever the crate offers to give space back.
    fn reclaim(&mut self);
}

const CACHE: usize = 16 << 20;

pub fn open(name: &str, dir: &Path) -> Box<dyn Candidate> {
    match name {
        "redb" => Box::new(Redb::open(dir)),
        "fjall" => Box::new(Fjall::open(dir)),
        "canopydb" => Box::new(Canopy::open(dir)),
        "lmdb" => Box::new(Lmdb::open(dir)),
        other => panic!("no candidate named {other}"),
    }
}

struct Redb(redb::Database);

const LOG: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("log");

impl Redb {
    fn open(dir: &Path) -> Self {
        let mut builder = redb::Database::builder();
        Self(builder.set_cache_size(CACHE).create(dir.join("store.redb")).unwrap())
    }
}

impl Candidate for Redb {
    fn commit(&mut self, puts: &[Record], drops: &[u64]) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut table = transaction.open_table(LOG).unwrap();
            for (revision, value) in puts {
                table.insert(revision, value).unwrap();
            }
            for revision in drops {
                table.remove(revision).unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    fn get(&self, revision: u64) -> usize {
        use redb::{ReadableDatabase, ReadableTable};
        let table = self.0.begin_read().unwrap().open_table(LOG).unwrap();
        ReadableTable::get(&table, revision).unwrap().map_or(0, |value| value.value().len())
    }

    fn scan(&self, each: &mut dyn FnMut(u64, &[u8])) {
        use redb::{ReadableDatabase, ReadableTable};
        let table = self.0.begin_read().unwrap().open_table(LOG).unwrap();
        for row in table.iter().unwrap() {
            let (key, value) = row.unwrap();
            each(key.value(), value.value());
        }
    }

    fn reclaim(&mut self) {
        while self.0.compact().unwrap() {}
    }
}

struct Fjall(fjall::Database, fjall::Keyspace);

impl Fjall {
    fn open(dir: &Path) -> Self {
        let database = fjall::Database::builder(dir.join("fjall"))
            .cache_size(CACHE as u64)
            .worker_threads(1)
            .max_journaling_size(64 << 20)
            .open()
            .unwrap();
        let log = database
            .keyspace("log", || {
                fjall::KeyspaceCreateOptions::default().max_memtable_size(CACHE as u64)
            })
            .unwrap();
        Self(database, log)
    }
}

impl Candidate for Fjall {
    fn commit(&mut self, puts: &[Record], drops: &[u64]) {
        let mut batch = self.0.batch().durability(Some(fjall::PersistMode::SyncData));
        for (revision, value) in puts {
            batch.insert(&self.1, revision.to_be_bytes(), *value);
        }
        for revision in drops {
            batch.remove(&self.1, revision.to_be_bytes());
        }
        batch.commit().unwrap();
    }

    fn get(&self, revision: u64) -> usize {
        self.1.get(revision.to_be_bytes()).unwrap().map_or(0, |value| value.len())
    }

    fn scan(&self, each: &mut dyn FnMut(u64, &[u8])) {
        for row in self.1.iter() {
            let (key, value) = row.into_inner().unwrap();
            each(u64::from_be_bytes(key.as_ref().try_into().unwrap()), &value);
        }
    }

    fn reclaim(&mut self) {
        self.1.rotate_memtable_and_wait().unwrap();
        self.1.major_compact().unwrap();
    }
}

struct Canopy(canopydb::Database);

impl Canopy {
    fn open(dir: &Path) -> Self {
        let path = dir.join("canopy");
        std::fs::create_dir_all(&path).unwrap();
        let mut options = canopydb::EnvOptions::new(&path);
        options.page_cache_size = CACHE;
        let database = canopydb::Database::with_options(options, canopydb::DbOptions::new()).unwrap();
        let write = database.begin_write().unwrap();
        write.get_or_create_tree(b"log").unwrap();
        write.commit().unwrap();
        Self(database)
    }
}

impl Candidate for Canopy {
    fn commit(&mut self, puts: &[Record], drops: &[u64]) {
        let write = self.0.begin_write().unwrap();
        {
            let mut tree = write.get_or_create_tree(b"log").unwrap();
            for (revision, value) in puts {
                tree.insert(&revision.to_be_bytes(), value).unwrap();
            }
            for revision in drops {
                tree.delete(&revision.to_be_bytes()).unwrap();
            }
        }
        write.commit_with(true).unwrap();
    }

    fn get(&self, revision: u64) -> usize {
        let read = self.0.begin_read().unwrap();
        let tree = read.get_tree(b"log").unwrap().unwrap();
        tree.get(&revision.to_be_bytes()).unwrap().map_or(0, |value| value.len())
    }

    fn scan(&self, each: &mut dyn FnMut(u64, &[u8])) {
        let read = self.0.begin_read().unwrap();
        let tree = read.get_tree(b"log").unwrap().unwrap();
        for row in tree.iter().unwrap() {
            let (key, value) = row.unwrap();
            each(u64::from_be_bytes(key.as_ref().try_into().unwrap()), &value);
        }
    }

    fn reclaim(&mut self) {
        self.0.checkpoint().unwrap();
        self.0.compact().unwrap();
    }
}

type LmdbTable = heed::Database<heed::types::U64<heed::byteorder::BE>, heed::types::Bytes>;

struct Lmdb(heed::Env, LmdbTable);

impl Lmdb {
    #[allow(unsafe_code)]
    fn open(dir: &Path) -> Self {
        let path = dir.join("lmdb");
        std::fs::create_dir_all(&path).unwrap();
        let mut options = heed::EnvOpenOptions::new();
        options.map_size(4 << 30).max_dbs(1);
        // SAFETY: no other process has the directory, which this run made.
        let environment = unsafe { options.open(path) }.unwrap();
        let mut write = environment.write_txn().unwrap();
        let log = environment.create_database(&mut write, Some("log")).unwrap();
        write.commit().unwrap();
        Self(environment, log)
    }
}

impl Candidate for Lmdb {
    fn commit(&mut self, puts: &[Record], drops: &[u64]) {
        let mut write = self.0.write_txn().unwrap();
        for (revision, value) in puts {
            self.1.put(&mut write, revision, value).unwrap();
        }
        for revision in drops {
            self.1.delete(&mut write, revision).unwrap();
        }
        write.commit().unwrap();
    }

    fn get(&self, revision: u64) -> usize {
        let read = self.0.read_txn().unwrap();
        self.1.get(&read, &revision).unwrap().map_or(0, <[u8]>::len)
    }

    fn scan(&self, each: &mut dyn FnMut(u64, &[u8])) {
        let read = self.0.read_txn().unwrap();
        for row in self.1.iter(&read).unwrap() {
            let (key, value) = row.unwrap();
            each(key, value);
        }
    }

    fn reclaim(&mut self) {}
}
