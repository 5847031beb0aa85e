//! The original's loop: every worker, every block. Slow and obvious; rounds as its fixed-point library does, down after each operation.

use phala_economics::{Fixed, Parameters};

/// One worker as the original's gatekeepers kept it.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// P_init.
    pub p_init: Fixed,
    /// P_cur.
    pub p: Fixed,
    /// V.
    pub v: Fixed,
    /// D.
    pub d: Fixed,
}

impl Worker {
    /// A worker that has just started.
    pub fn new(v: Fixed, p_init: Fixed) -> Self {
        Self { p_init, p: p_init, v, d: Fixed::ZERO }
    }

    /// A block with nothing to answer.
    pub fn idle(&mut self, parameters: &Parameters) {
        let cost = parameters.cost_k.mul_down(self.p_init).saturating_add(parameters.cost_b);
        let gain = parameters.growth.mul_down(self.v).saturating_add(cost);
        let ratio = self.p.checked_div(self.p_init).unwrap_or(Fixed::ONE);
        let delta = ratio.mul_down(gain);
        self.v = self.v.saturating_add(delta).min(parameters.value_max);
        self.d = self.d.saturating_add(delta);
    }

    /// A block in which an answer is overdue.
    pub fn silent(&mut self, parameters: &Parameters) {
        self.v = self.v.saturating_sub(self.v.mul_down(parameters.slash_rate));
        self.d = Fixed::ZERO;
    }
}
