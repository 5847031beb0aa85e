//! The original's loop: every worker, every block. Slow and obvious; rounds as its fixed-point library does, down after each operation.

use phala_economics::{Fixed, Parameters};

/// One worker as the original's gatekeepers kept it.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// P_cur / P_init.
    pub ratio: Fixed,
    /// c.
    pub cost: Fixed,
    /// V.
    pub v: Fixed,
    /// D.
    pub d: Fixed,
}

impl Worker {
    /// A worker with V, P_init and P_cur.
    pub fn new(parameters: &Parameters, v: Fixed, p_init: Fixed, p: Fixed) -> Self {
        let cost = parameters.cost_k.mul_down(p_init).saturating_add(parameters.cost_b);
        Self { ratio: p.checked_div(p_init).unwrap_or(Fixed::ONE), cost, v, d: Fixed::ZERO }
    }

    /// A block with nothing to answer.
    pub fn idle(&mut self, parameters: &Parameters) {
        let gain = parameters.growth.mul_down(self.v).saturating_add(self.cost);
        let delta = self.ratio.mul_down(gain);
        self.v = self.v.saturating_add(delta).min(parameters.value_max);
        self.d = self.d.saturating_add(delta);
    }

    /// A block in which an answer is overdue.
    pub fn silent(&mut self, parameters: &Parameters) {
        self.v = self.v.saturating_sub(self.v.mul_down(parameters.slash_rate));
        self.d = Fixed::ZERO;
    }
}
