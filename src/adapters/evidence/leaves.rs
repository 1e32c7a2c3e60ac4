//! The leaf hashes: 32 bytes a record, in a file beside each segment, `<segment>.leaves`.
//!
//! They are kept when a segment is pruned, so that what was proved before can still be proved. The
//! file `tree.nodes` holds the root of every 1,024 leaves. It is derived and can be deleted; with it
//! a tree of any size is at hand after reading a thousandth of the leaves.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{FileError, list, sync_directory};
use crate::adapters::journal::leaves_path;
use crate::domain::evidence::merkle::{LeafHashes, NodeHash, Tree};

/// Suffix of the files.
const SUFFIX: &str = ".leaves";
/// Bytes of a hash.
const HASH: u64 = 32;
/// File of the inner nodes.
const NODES: &str = "tree.nodes";
/// Level of the nodes that are kept: each stands for 2^10 leaves.
const NODE_LEVEL: u32 = 10;

/// The leaf hashes in a directory, for reading.
#[derive(Debug)]
pub struct LeafStore {
    directory: PathBuf,
    parts: Vec<Part>,
    size: u64,
    /// Nodes of [`NODE_LEVEL`], as far as they are trusted to be those of the leaves.
    nodes: Vec<NodeHash>,
    open: RefCell<Option<(u64, File)>>,
}

/// One file, with the leaves that it holds. What lies behind the next file's first is void.
#[derive(Debug)]
struct Part {
    first: u64,
    end: u64,
}

impl LeafStore {
    /// Finds the leaves in a directory, from the log's first on without a hole.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn open(directory: &Path) -> Result<Self, FileError> {
        let mut store = Self::open_without_nodes(directory)?;
        store.nodes = read_nodes(directory, store.size)?;
        Ok(store)
    }

    /// As [`LeafStore::open`], without trust in the file of nodes: for audits.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn open_without_nodes(directory: &Path) -> Result<Self, FileError> {
        let firsts = list(directory, SUFFIX)?;
        let mut parts = Vec::with_capacity(firsts.len());
        let mut size = 0;
        for (at, first) in firsts.iter().copied().enumerate() {
            if first != size {
                break;
            }
            let path = leaves_path(directory, first);
            let length = std::fs::metadata(&path)
                .map_err(FileError::io("look at", &path))?
                .len();
            let next = firsts.get(at + 1).copied().unwrap_or(u64::MAX);
            size = first.saturating_add(length / HASH).min(next);
            parts.push(Part { first, end: size });
        }
        Ok(Self {
            directory: directory.to_owned(),
            parts,
            size,
            nodes: Vec::new(),
            open: RefCell::new(None),
        })
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    fn read_part(
        &self,
        part: &Part,
        range: &Range<u64>,
        out: &mut Vec<NodeHash>,
    ) -> io::Result<()> {
        let mut open = self.open.borrow_mut();
        if open.as_ref().is_none_or(|(first, _)| *first != part.first) {
            let file = File::open(leaves_path(&self.directory, part.first))?;
            *open = Some((part.first, file));
        }
        let Some((_, file)) = &*open else {
            return Ok(());
        };
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut bytes = vec![0; count.saturating_mul(HASH as usize)];
        file.read_exact_at(&mut bytes, (range.start - part.first) * HASH)?;
        out.extend(hashes(&bytes));
        Ok(())
    }
}

fn hashes(bytes: &[u8]) -> impl Iterator<Item = NodeHash> {
    let (chunks, _) = bytes.as_chunks::<{ HASH as usize }>();
    chunks.iter().map(|chunk| NodeHash::from_bytes(*chunk))
}

fn read_nodes(directory: &Path, leaves: u64) -> Result<Vec<NodeHash>, FileError> {
    let path = directory.join(NODES);
    let wanted = (leaves >> NODE_LEVEL) * HASH;
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => file.take(wanted).read_to_end(&mut bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
    .map_err(FileError::io("read", &path))?;
    Ok(hashes(&bytes).collect())
}

impl LeafHashes for LeafStore {
    type Error = FileError;

    fn read(&self, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), FileError> {
        if range.end > self.size {
            return Err(FileError::NoLeaf {
                path: self.directory.clone(),
                leaf: self.size,
            });
        }
        let begin = self.parts.partition_point(|part| part.end <= range.start);
        let mut at = range.start;
        for part in self.parts.iter().skip(begin) {
            if at >= range.end {
                break;
            }
            let end = part.end.min(range.end);
            self.read_part(part, &(at..end), out).map_err(|source| {
                let path = leaves_path(&self.directory, part.first);
                FileError::io("read", &path)(source)
            })?;
            at = end;
        }
        Ok(())
    }

    fn subtree(&self, level: u32, index: u64) -> Result<Option<NodeHash>, FileError> {
        if level != NODE_LEVEL {
            return Ok(None);
        }
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(self.nodes.get(index).copied())
    }
}

/// The writing end: the sealer's alone.
#[derive(Debug)]
pub struct LeafWriter {
    directory: PathBuf,
    open: Option<Open>,
    /// Hashes that are not written yet, and the leaf that the first of them is of.
    waiting: Vec<u8>,
    waiting_from: u64,
    nodes: Option<File>,
    /// Nodes that are not written yet, with their index.
    waiting_nodes: Vec<(u64, NodeHash)>,
}

#[derive(Debug)]
struct Open {
    first: u64,
    file: File,
}

impl LeafWriter {
    /// Goes on with this leaf.
    pub fn new(directory: &Path, next: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            open: None,
            waiting: Vec::new(),
            waiting_from: next,
            nodes: None,
            waiting_nodes: Vec::new(),
        }
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The segment that leaves go to, if one is open.
    pub fn segment(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.first)
    }

    /// Adds a leaf to the tree and to what will be written.
    pub fn push(&mut self, tree: &mut Tree, leaf: NodeHash) {
        self.waiting.extend_from_slice(leaf.as_bytes());
        let nodes = &mut self.waiting_nodes;
        tree.append_visiting(leaf, |level, index, hash| {
            if level == NODE_LEVEL {
                nodes.push((index, hash));
            }
        });
    }

    /// Goes on in the file of another segment; everything of the last one must be written. The
    /// file is made if `first` is the next leaf, else it must be there.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn turn_to(&mut self, first: u64) -> Result<(), FileError> {
        let path = leaves_path(&self.directory, first);
        let is_new = first == self.waiting_from;
        let file = OpenOptions::new()
            .write(true)
            .create(is_new)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::io("open", &path))?;
        if is_new {
            sync_directory(&self.directory)?;
        }
        self.open = Some(Open { first, file });
        Ok(())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// [`FileError::Io`]; it then still waits.
    pub fn flush(&mut self) -> Result<(), FileError> {
        if let Some(open) = &self.open
            && !self.waiting.is_empty()
        {
            let offset = self.waiting_from.saturating_sub(open.first) * HASH;
            open.file
                .write_all_at(&self.waiting, offset)
                .map_err(|source| {
                    let path = leaves_path(&self.directory, open.first);
                    FileError::io("write", &path)(source)
                })?;
            self.waiting_from += self.waiting.len() as u64 / HASH;
            self.waiting.clear();
        }
        self.flush_nodes()
    }

    fn flush_nodes(&mut self) -> Result<(), FileError> {
        if self.waiting_nodes.is_empty() {
            return Ok(());
        }
        let path = self.directory.join(NODES);
        if self.nodes.is_none() {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(FileError::io("open", &path))?;
            self.nodes = Some(file);
        }
        let Some(file) = &self.nodes else {
            return Ok(());
        };
        for (index, hash) in &self.waiting_nodes {
            file.write_all_at(hash.as_bytes(), index * HASH)
                .map_err(FileError::io("write", &path))?;
        }
        self.waiting_nodes.clear();
        Ok(())
    }

    /// Brings what was written to the disk, the nodes first: they must never lag behind leaves
    /// that were synced by more than a reader can see from their length.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn sync(&mut self) -> Result<(), FileError> {
        if let Some(nodes) = &self.nodes {
            let path = self.directory.join(NODES);
            nodes.sync_data().map_err(FileError::io("sync", &path))?;
        }
        if let Some(open) = &self.open {
            let path = leaves_path(&self.directory, open.first);
            open.file
                .sync_data()
                .map_err(FileError::io("sync", &path))?;
        }
        Ok(())
    }

    /// Removes the file of nodes, which does not fit the leaves; it is made anew from `nodes`.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn replace_nodes(&mut self, leaves: &LeafStore, size: u64) -> Result<(), FileError> {
        let path = self.directory.join(NODES);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::io("remove", &path)(error));
            }
            _ => {}
        }
        self.nodes = None;
        let mut buffer = Vec::new();
        for index in 0..size >> NODE_LEVEL {
            buffer.clear();
            leaves.read(index << NODE_LEVEL..(index + 1) << NODE_LEVEL, &mut buffer)?;
            let mut tree = Tree::new();
            buffer.iter().for_each(|leaf| tree.append(*leaf));
            self.waiting_nodes.push((index, tree.root()));
        }
        self.flush_nodes()
    }
}

/// The hash that is kept for each leaf, one after another: for audits of any length.
#[derive(Debug)]
pub struct KeptHashes {
    store: LeafStore,
    next: u64,
    buffer: Vec<NodeHash>,
}

impl KeptHashes {
    /// Leaves that are read at a time.
    const READ: u64 = 4_096;

    /// From the first leaf on.
    pub const fn new(store: LeafStore) -> Self {
        Self {
            store,
            next: 0,
            buffer: Vec::new(),
        }
    }

    /// The hashes of a range of leaves; `None` if not all are kept.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn all(&self, range: Range<u64>) -> Result<Option<Vec<NodeHash>>, FileError> {
        if range.end > self.store.size() {
            return Ok(None);
        }
        let mut found = Vec::new();
        self.store.read(range, &mut found)?;
        Ok(Some(found))
    }

    /// The hash of a leaf; `None` if none is kept. Leaves are asked for in order.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn of(&mut self, leaf: u64) -> Result<Option<NodeHash>, FileError> {
        let begin = self.next.saturating_sub(self.buffer.len() as u64);
        if leaf >= self.next || leaf < begin {
            let end = leaf.saturating_add(Self::READ).min(self.store.size());
            if leaf >= end {
                return Ok(None);
            }
            self.buffer.clear();
            self.store.read(leaf..end, &mut self.buffer)?;
            self.next = end;
        }
        let begin = self.next.saturating_sub(self.buffer.len() as u64);
        let at = usize::try_from(leaf - begin).unwrap_or(usize::MAX);
        Ok(self.buffer.get(at).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::merkle::{leaf_hash, prove_consistency, root_at, tree_at};

    /// Writes leaves over segments that begin at these numbers.
    fn write(directory: &Path, segments: &[u64], leaves: u64) -> Tree {
        let mut tree = Tree::new();
        let mut writer = LeafWriter::new(directory, 0);
        for leaf in 0..leaves {
            if segments.contains(&leaf) {
                writer.flush().unwrap();
                writer.sync().unwrap();
                writer.turn_to(leaf).unwrap();
            }
            writer.push(&mut tree, leaf_hash(&leaf.to_be_bytes()));
        }
        writer.flush().unwrap();
        writer.sync().unwrap();
        tree
    }

    #[test]
    fn leaves_are_read_back_over_segments_with_and_without_nodes() {
        let dir = tempfile::tempdir().unwrap();
        let tree = write(dir.path(), &[0, 700, 1_500, 4_000], 5_000);
        let store = LeafStore::open(dir.path()).unwrap();
        assert_eq!(store.size(), 5_000);
        assert_eq!(store.nodes.len(), 4);
        assert_eq!(root_at(&store, 5_000).unwrap(), tree.root());
        assert_eq!(tree_at(&store, 5_000).unwrap(), tree);
        let plain = LeafStore::open_without_nodes(dir.path()).unwrap();
        assert_eq!(root_at(&plain, 5_000).unwrap(), tree.root());
        for (old, new) in [(1, 5_000), (1_024, 2_048), (4_999, 5_000)] {
            let proof = prove_consistency(&store, old, new).unwrap();
            assert_eq!(proof, prove_consistency(&plain, old, new).unwrap());
        }
        let mut kept = KeptHashes::new(plain);
        for leaf in 0..5_000_u64 {
            let hash = leaf_hash(&leaf.to_be_bytes());
            assert_eq!(kept.of(leaf).unwrap(), Some(hash));
        }
        assert_eq!(kept.of(5_000).unwrap(), None);
        assert!(store.read(4_999..5_001, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_hole_ends_the_leaves_and_nodes_are_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[0, 2_000], 3_000);
        let nodes = std::fs::read(dir.path().join(NODES)).unwrap();
        std::fs::write(dir.path().join(NODES), vec![7; nodes.len()]).unwrap();
        let store = LeafStore::open_without_nodes(dir.path()).unwrap();
        let mut writer = LeafWriter::new(dir.path(), 3_000);
        writer.replace_nodes(&store, 3_000).unwrap();
        assert_eq!(std::fs::read(dir.path().join(NODES)).unwrap(), nodes);

        let first = leaves_path(dir.path(), 0);
        let file = OpenOptions::new().write(true).open(&first).unwrap();
        file.set_len(1_234 * HASH + 5).unwrap();
        assert_eq!(LeafStore::open(dir.path()).unwrap().size(), 1_234);
    }
}
