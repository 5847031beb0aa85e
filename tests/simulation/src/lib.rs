//! Whole networks in one process, seeded. The tests are in `tests/`; what they share with measurements is here.

pub mod economy;
