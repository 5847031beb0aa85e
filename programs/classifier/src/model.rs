//! Logistic regression: learns from a table with two labels, and gives probabilities for rows without.
//!
//! Columns are standardised. The weights minimise the log-loss plus half the squared length of the weights (an
//! L2 penalty of 1, as scikit-learn's default), by Newton's method with halved steps where a whole one would not
//! go down. Everything runs in one fixed order, so every replica computes the same bits.

use crate::table::{Table, TableError};
use serde::{Deserialize, Serialize};

/// Steps after which training stops wherever it is.
const ITERATIONS_MAX: u32 = 50;
/// A step shorter than this in every weight ends the training.
const STEP_MIN: f64 = 1e-9;
/// How often a step is halved before it counts as zero.
const HALVINGS_MAX: u32 = 30;

/// What training found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The two labels; probabilities are those of the second.
    pub labels: [String; 2],
    /// What it was trained on, in the order of the weights.
    pub columns: Vec<String>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    weights: Vec<f64>,
    bias: f64,
    /// How it was trained.
    pub training: Training,
}

/// How a model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Rows it saw.
    pub rows: usize,
    /// Steps it took.
    pub iterations: u32,
    /// Share of those rows that it labels as they were.
    pub training_accuracy: f64,
    /// The block that ordered the training.
    pub height: u32,
}

impl Model {
    /// Learns from `table`, whose column `label` (the last one, if not named) has the labels.
    pub fn train(table: &Table<'_>, label: Option<&str>, height: u32) -> Result<Self, TableError> {
        let label = match label {
            None => table.columns.len() - 1,
            Some(name) => place(table, name)?,
        };
        let features: Vec<usize> = (0..table.columns.len()).filter(|&n| n != label).collect();
        if features.is_empty() {
            return Err(TableError::NoFeatures);
        }
        let (labels, targets) = targets(table, label)?;
        let mut rows: Vec<Vec<f64>> =
            (0..table.rows.len()).map(|row| table.numbers(row, &features)).collect::<Result<_, _>>()?;
        let (mean, scale) = standard(&rows);
        rows.iter_mut().for_each(|row| standardise(row, &mean, &scale));

        let (weights, iterations) = fit(&rows, &targets);
        let (bias, weights) = (weights[features.len()], weights[..features.len()].to_vec());
        let columns = features.iter().map(|&n| table.columns[n].to_owned()).collect();
        let training =
            Training { rows: rows.len(), iterations, training_accuracy: 0.0, height };
        let mut model = Self { labels, columns, mean, scale, weights, bias, training };
        let right = rows
            .iter()
            .zip(&targets)
            .filter(|(row, target)| (model.score(row) > 0.0) == (**target == 1.0))
            .count();
        model.training.training_accuracy = right as f64 / rows.len() as f64;
        Ok(model)
    }

    /// The probability of the second label for each row. Columns may come in any order.
    pub fn classify(&self, table: &Table<'_>) -> Result<Vec<f64>, TableError> {
        let unknown = |name: &&&str| !self.columns.iter().any(|known| known == **name);
        if let Some(name) = table.columns.iter().find(unknown) {
            return Err(TableError::UnknownColumn((*name).into()));
        }
        let columns: Vec<usize> =
            self.columns.iter().map(|name| place(table, name)).collect::<Result<_, _>>()?;
        (0..table.rows.len())
            .map(|row| {
                let mut row = table.numbers(row, &columns)?;
                standardise(&mut row, &self.mean, &self.scale);
                Ok(sigmoid(self.score(&row)))
            })
            .collect()
    }

    /// The label that goes with a probability.
    pub fn label(&self, probability: f64) -> &str {
        &self.labels[usize::from(probability > 0.5)]
    }

    /// The log-odds of the second label for a standardised row.
    fn score(&self, row: &[f64]) -> f64 {
        dot(row, &self.weights) + self.bias
    }
}

/// Where a column stands in the header.
fn place(table: &Table<'_>, name: &str) -> Result<usize, TableError> {
    let missing = || TableError::MissingColumn(name.into());
    table.columns.iter().position(|column| *column == name).ok_or_else(missing)
}

/// The two labels in the order of their letters, and for each row 1 where it has the second.
fn targets(table: &Table<'_>, label: usize) -> Result<([String; 2], Vec<f64>), TableError> {
    let mut found: Vec<&str> = Vec::new();
    for (line, fields) in &table.rows {
        match fields[label] {
            "" => return Err(TableError::NoLabel { line: *line }),
            known if found.contains(&known) => {}
            new if found.len() < 3 => found.push(new),
            _ => {}
        }
    }
    found.sort_unstable();
    let [first, second] = found[..] else {
        return Err(TableError::Labels(found.iter().map(|label| (*label).into()).collect()));
    };
    let target = |fields: &Vec<&str>| f64::from(u8::from(fields[label] == second));
    let targets = table.rows.iter().map(|(_, fields)| target(fields)).collect();
    Ok(([first.into(), second.into()], targets))
}

/// Mean and standard deviation of each column; a column that never changes has deviation 1.
fn standard(rows: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let (n, width) = (rows.len() as f64, rows[0].len());
    let mean: Vec<f64> =
        (0..width).map(|c| rows.iter().map(|row| row[c] / n).sum()).collect();
    let deviation = |c: usize| {
        let square = |row: &Vec<f64>| (row[c] - mean[c]) * (row[c] - mean[c]) / n;
        let deviation = rows.iter().map(square).sum::<f64>().sqrt();
        if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 }
    };
    let scale = (0..width).map(deviation).collect();
    (mean, scale)
}

/// Brings a row to mean 0 and deviation 1.
fn standardise(row: &mut [f64], mean: &[f64], scale: &[f64]) {
    for ((value, mean), scale) in row.iter_mut().zip(mean).zip(scale) {
        *value = (*value - mean) / scale;
    }
}

/// The weights, the bias after them, and how many steps it took.
fn fit(rows: &[Vec<f64>], targets: &[f64]) -> (Vec<f64>, u32) {
    let width = rows[0].len();
    let mut weights = vec![0.0; width + 1];
    let mut here = loss(rows, targets, &weights);
    for iteration in 1..=ITERATIONS_MAX {
        let Some(step) = newton(rows, targets, &weights) else { return (weights, iteration) };
        let mut share = 1.0;
        let mut next = None;
        for _ in 0..HALVINGS_MAX {
            let there: Vec<f64> = weights.iter().zip(&step).map(|(w, s)| w - share * s).collect();
            let loss = loss(rows, targets, &there);
            if loss <= here {
                next = Some((there, loss));
                break;
            }
            share /= 2.0;
        }
        let Some((there, loss)) = next else { return (weights, iteration) };
        (weights, here) = (there, loss);
        if step.iter().all(|s| (share * s).abs() < STEP_MIN) {
            return (weights, iteration);
        }
    }
    (weights, ITERATIONS_MAX)
}

/// What is minimised: the log-loss and half the squared length of the weights; the bias costs nothing.
fn loss(rows: &[Vec<f64>], targets: &[f64], weights: &[f64]) -> f64 {
    let width = weights.len() - 1;
    let penalty = dot(&weights[..width], &weights[..width]) / 2.0;
    let each = rows.iter().zip(targets).map(|(row, target)| {
        let score = dot(row, &weights[..width]) + weights[width];
        // ln(1 + e^score) − target·score, without overflow.
        score.max(0.0) + (-score.abs()).exp().ln_1p() - target * score
    });
    each.sum::<f64>() + penalty
}

/// Hessian⁻¹ · gradient, or none when the numbers no longer allow it.
fn newton(rows: &[Vec<f64>], targets: &[f64], weights: &[f64]) -> Option<Vec<f64>> {
    let width = weights.len() - 1;
    let mut gradient = weights.to_vec();
    gradient[width] = 0.0;
    let mut hessian = vec![vec![0.0; width + 1]; width + 1];
    for (n, line) in hessian.iter_mut().enumerate().take(width) {
        line[n] = 1.0;
    }
    hessian[width][width] = f64::EPSILON;
    let mut extended = vec![1.0; width + 1];
    for (row, target) in rows.iter().zip(targets) {
        extended[..width].copy_from_slice(row);
        let p = sigmoid(dot(&extended, weights));
        let curve = p * (1.0 - p);
        for (i, &value) in extended.iter().enumerate() {
            gradient[i] += (p - target) * value;
            let weighted = curve * value;
            for (sum, other) in hessian[i][..=i].iter_mut().zip(&extended) {
                *sum += weighted * other;
            }
        }
    }
    solve(hessian, gradient)
}

/// Solves a · x = b for a positive definite `a`, of which the lower half is given (Cholesky).
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let (upper, lower) = a.split_at_mut(i);
            let row = &mut lower[0];
            let sum = match j < i {
                true => row[j] - dot(&row[..j], &upper[j][..j]),
                false => row[i] - dot(&row[..i], &row[..i]),
            };
            if j < i {
                row[j] = sum / upper[j][j];
            } else if sum > 0.0 && sum.is_finite() {
                row[i] = sum.sqrt();
            } else {
                return None;
            }
        }
    }
    for i in 0..n {
        b[i] = (b[i] - dot(&a[i][..i], &b[..i])) / a[i][i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| a[k][i] * b[k]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    Some(b)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cholesky_solves_a_system() {
        let a = vec![vec![4.0, 0.0, 0.0], vec![2.0, 5.0, 0.0], vec![1.0, 3.0, 6.0]];
        let x = solve(a, vec![11.0, 21.0, 25.0]).unwrap();
        for (x, expected) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((x - expected).abs() < 1e-12, "{x} is not {expected}");
        }
    }

    #[test]
    fn at_the_minimum_the_gradient_is_zero() {
        let rows: Vec<Vec<f64>> =
            (0..40).map(|n| vec![f64::from(n % 7) - 3.0, f64::from(n % 5) - 2.0]).collect();
        let targets: Vec<f64> = (0..40).map(|n| f64::from(u8::from(n % 3 == 0))).collect();
        let (weights, _) = fit(&rows, &targets);
        let step = newton(&rows, &targets, &weights).unwrap();
        assert!(step.iter().all(|step| step.abs() < 1e-8), "{step:?}");
    }

    #[test]
    fn labels_must_be_two() {
        for (text, found) in
            [("x,y\n1,a\n2,a", vec!["a"]), ("x,y\n1,a\n2,b\n3,c\n4,d", vec!["a", "b", "c"])]
        {
            let found = found.into_iter().map(String::from).collect();
            let table = Table::parse(text).unwrap();
            assert_eq!(Model::train(&table, None, 0), Err(TableError::Labels(found)));
        }
        let table = Table::parse("x,y\n1,a\n2,").unwrap();
        assert_eq!(Model::train(&table, None, 0), Err(TableError::NoLabel { line: 3 }));
        let table = Table::parse("y\na\nb").unwrap();
        assert_eq!(Model::train(&table, None, 0), Err(TableError::NoFeatures));
    }

    #[test]
    fn a_constant_column_and_separable_rows_do_no_harm() {
        let table = Table::parse("label,one,x\nno,1,0\nno,1,1\nyes,1,100\nyes,1,101").unwrap();
        let model = Model::train(&table, Some("label"), 7).unwrap();
        assert_eq!(model.training.training_accuracy, 1.0);
        assert_eq!(model.training.height, 7);
        let probabilities = model.classify(&Table::parse("x,one\n0,1\n101,1").unwrap()).unwrap();
        assert_eq!(model.label(probabilities[0]), "no");
        assert_eq!(model.label(probabilities[1]), "yes");
    }

    #[test]
    fn huge_numbers_give_a_model_and_no_panic() {
        let table = Table::parse("x,y\n1e308,a\n-1e308,b\n1e308,a\n0,b").unwrap();
        let model = Model::train(&table, None, 0).unwrap();
        assert!(model.bias.is_finite());
    }

    #[test]
    fn a_table_of_other_columns_is_refused() {
        let table = Table::parse("x,z,y\n1,0,a\n2,0,b").unwrap();
        let model = Model::train(&table, None, 0).unwrap();
        let missing = Table::parse("x\n1").unwrap();
        assert_eq!(model.classify(&missing), Err(TableError::MissingColumn("z".into())));
        let unknown = Table::parse("x,z,w\n1,2,3").unwrap();
        assert_eq!(model.classify(&unknown), Err(TableError::UnknownColumn("w".into())));
    }

    #[test]
    fn a_stored_model_comes_back_to_the_last_bit() {
        let table = Table::parse("x,y\n0.1,a\n0.7,b\n0.3,a\n0.9,b").unwrap();
        let model = Model::train(&table, None, 0).unwrap();
        let stored = serde_json::to_vec(&model).unwrap();
        assert_eq!(serde_json::from_slice::<Model>(&stored).unwrap(), model);
    }
}
