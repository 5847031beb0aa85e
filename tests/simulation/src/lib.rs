//! Whole networks in one process, seeded. The tests are in `tests/`; there is nothing to use here.
