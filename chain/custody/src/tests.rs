//! Candidates, roots, deliveries, requests, and the contract with others. Rounds are in `tests_of_rounds.rs`.
