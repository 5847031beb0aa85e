//! What one instance may take, and whether it was refused something.

use wasmtime::ResourceLimiter;

/// Streams, requests, pollables and other handles that one call may hold at once.
pub const HANDLES_MAX: usize = 10_000;
/// What one host function takes from the program at once, bytes: lists and texts together.
pub(crate) const HOSTCALL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Elements of one table; CPython has about 20,000 functions.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances of one component.
pub(crate) const CORE_INSTANCES_MAX: usize = 64;
/// Linear memories of one component.
pub(crate) const MEMORIES_MAX: usize = 32;
/// Tables of one component.
pub(crate) const TABLES_MAX: usize = 64;

/// Limits one instance's memories, all of them together, and tables.
pub(crate) struct Limits {
    memory_bytes_max: u32,
    memory_bytes: usize,
    refused_memory: bool,
}

impl Limits {
    pub(crate) fn new(memory_bytes_max: u32) -> Self {
        Self { memory_bytes_max, memory_bytes: 0, refused_memory: false }
    }

    /// The limit.
    pub(crate) fn memory_bytes_max(&self) -> u32 {
        self.memory_bytes_max
    }

    /// Whether the instance ever asked for more memory than it may have.
    pub(crate) fn refused_memory(&self) -> bool {
        self.refused_memory
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        let allowed = total <= self.memory_bytes_max as usize;
        if allowed {
            self.memory_bytes = total;
        } else {
            self.refused_memory = true;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
