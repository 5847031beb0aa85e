//! Reads tables: comma-separated values with a header line.

use std::fmt;

/// Rows that one table may have.
pub const ROWS_MAX: usize = 20_000;
/// Columns that one table may have. The work of training grows with their square.
pub const COLUMNS_MAX: usize = 256;

/// A table of text. Every row has as many fields as the header.
#[derive(Debug, PartialEq)]
pub struct Table<'a> {
    /// The names in the header.
    pub columns: Vec<&'a str>,
    /// The lines below it, with their number in the file, counted from 1.
    pub rows: Vec<(usize, Vec<&'a str>)>,
}

/// Why a table cannot be used. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub enum TableError {
    /// There is no header.
    Empty,
    /// There is a header and nothing else.
    NoRows,
    /// More than [`ROWS_MAX`].
    TooManyRows,
    /// More than [`COLUMNS_MAX`].
    TooManyColumns(usize),
    /// A name in the header is missing.
    UnnamedColumn(usize),
    /// A name is there twice.
    DuplicateColumn(String),
    /// A row has another number of fields than the header.
    Width { line: usize, fields: usize, columns: usize },
    /// Fields in quotes are not understood here.
    Quoted { line: usize },
    /// A field is not a finite number.
    NotANumber { line: usize, column: String, field: String },
    /// A column that is needed is not there.
    MissingColumn(String),
    /// A column is there that the model does not know.
    UnknownColumn(String),
    /// A label is empty.
    NoLabel { line: usize },
    /// There are not exactly two labels.
    Labels(Vec<String>),
    /// There are only labels.
    NoFeatures,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the table is empty; its first line must name the columns"),
            Self::NoRows => f.write_str("the table has a header and no rows"),
            Self::TooManyRows => write!(f, "the table has more than {ROWS_MAX} rows"),
            Self::TooManyColumns(n) => {
                write!(f, "the table has {n} columns; {COLUMNS_MAX} are allowed")
            }
            Self::UnnamedColumn(n) => write!(f, "column {n} has no name in the header"),
            Self::DuplicateColumn(name) => write!(f, "two columns are called '{name}'"),
            Self::Width { line, fields, columns } => {
                write!(f, "line {line} has {fields} fields, the header has {columns}")
            }
            Self::Quoted { line } => write!(f, "line {line}: fields in quotes are not understood"),
            Self::NotANumber { line, column, field } => {
                write!(f, "line {line}, column '{column}': '{field}' is not a finite number")
            }
            Self::MissingColumn(name) => write!(f, "column '{name}' is missing"),
            Self::UnknownColumn(name) => {
                write!(f, "column '{name}' is none that the model was trained on")
            }
            Self::NoLabel { line } => write!(f, "line {line} has no label"),
            Self::Labels(found) => write!(
                f,
                "the label column must have exactly two different values, found {}{}",
                found.len(),
                if found.is_empty() { String::new() } else { format!(": {}", found.join(", ")) }
            ),
            Self::NoFeatures => f.write_str("the table has a label column and nothing to learn from"),
        }
    }
}

impl std::error::Error for TableError {}

impl<'a> Table<'a> {
    /// Reads `text`. Empty lines are skipped, blanks around fields are dropped.
    pub fn parse(text: &'a str) -> Result<Self, TableError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines =
            (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(|(n, line)| {
                match line.contains('"') {
                    true => Err(TableError::Quoted { line: n }),
                    false => Ok((n, line.split(',').map(str::trim).collect::<Vec<_>>())),
                }
            });
        let (_, columns) = lines.next().ok_or(TableError::Empty)??;
        if columns.len() > COLUMNS_MAX {
            return Err(TableError::TooManyColumns(columns.len()));
        }
        for (n, name) in columns.iter().enumerate() {
            if name.is_empty() {
                return Err(TableError::UnnamedColumn(n + 1));
            }
            if columns[..n].contains(name) {
                return Err(TableError::DuplicateColumn((*name).into()));
            }
        }
        let mut rows = Vec::new();
        for row in lines {
            let (line, fields) = row?;
            if fields.len() != columns.len() {
                let (fields, columns) = (fields.len(), columns.len());
                return Err(TableError::Width { line, fields, columns });
            }
            if rows.len() == ROWS_MAX {
                return Err(TableError::TooManyRows);
            }
            rows.push((line, fields));
        }
        if rows.is_empty() {
            return Err(TableError::NoRows);
        }
        Ok(Self { columns, rows })
    }

    /// The values of one row in the order of `columns`, which are places in the header.
    pub fn numbers(&self, row: usize, columns: &[usize]) -> Result<Vec<f64>, TableError> {
        let (line, fields) = &self.rows[row];
        let number = |&column: &usize| {
            let field = fields[column];
            let number = field.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| TableError::NotANumber {
                line: *line,
                column: self.columns[column].into(),
                field: field.chars().take(40).collect(),
            })
        };
        columns.iter().map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_its_line_numbers() {
        let table = Table::parse("\u{feff}a, b\r\n\r\n1,2\r\n3 ,4").unwrap();
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(table.rows, [(3, vec!["1", "2"]), (4, vec!["3", "4"])]);
        assert_eq!(table.numbers(1, &[1, 0]), Ok(vec![4.0, 3.0]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wide = vec!["c"; COLUMNS_MAX + 1].join(",");
        let long = format!("a\n{}", "1\n".repeat(ROWS_MAX + 1));
        for (text, error) in [
            ("", TableError::Empty),
            (" \n", TableError::Empty),
            ("a,b\n", TableError::NoRows),
            ("a,\n1,2", TableError::UnnamedColumn(2)),
            ("a,a\n1,2", TableError::DuplicateColumn("a".into())),
            ("a,b\n1,2\n3", TableError::Width { line: 3, fields: 1, columns: 2 }),
            ("a,b\n1,\"2\"", TableError::Quoted { line: 2 }),
            (&wide, TableError::TooManyColumns(COLUMNS_MAX + 1)),
            (&long, TableError::TooManyRows),
        ] {
            assert_eq!(Table::parse(text), Err(error));
        }
    }

    #[test]
    fn a_field_that_is_no_finite_number_is_named() {
        for field in ["", "x", "NaN", "inf", "1e999"] {
            let text = format!("a,b\n0,0\n1,{field}");
            let table = Table::parse(&text).unwrap();
            let (line, column, field) = (3, "b".into(), field.into());
            assert_eq!(
                table.numbers(1, &[0, 1]),
                Err(TableError::NotANumber { line, column, field })
            );
        }
    }

    #[test]
    fn as_many_rows_as_allowed_are_read() {
        let text = format!("a\n{}", "1\n".repeat(ROWS_MAX));
        assert_eq!(Table::parse(&text).unwrap().rows.len(), ROWS_MAX);
    }
}
