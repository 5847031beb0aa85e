//! The original network's figures, and its block by block arithmetic, against the closed forms.

#[path = "original/deviation.rs"]
mod deviation;
#[path = "original/figures.rs"]
mod figures;
#[path = "original/reference.rs"]
mod reference;
