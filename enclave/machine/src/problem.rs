//! Problems: what a machine says instead of an answer, each with a name that stays.
//!
//! Each role lists its own with [`problems!`](crate::problems). Who gets one sees a *problem* (RFC 9457): a `type` that never changes
//! its meaning, what happened, and a hint what to do.

/// Media type of a problem document.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// Declares a role's `Problem`: for each its documentation, its `#[error]`, its HTTP status, its name in kebab-case, its hint.
#[macro_export]
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $(($($field:ty),+))? : $status:ident, $slug:literal, $hint:literal;)*) => {
        /// Why there is no answer.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Problem {
            $($(#[$doc])* $name $(($($field),+))?,)*
        }

        impl Problem {
            /// HTTP status.
            pub const fn status(&self) -> http::StatusCode {
                match self { $(Self::$name { .. } => http::StatusCode::$status,)* }
            }

            /// The name that stays, kebab-case.
            pub const fn slug(&self) -> &'static str {
                match self { $(Self::$name { .. } => $slug,)* }
            }

            /// What the reader can do about it.
            pub const fn hint(&self) -> &'static str {
                match self { $(Self::$name { .. } => $hint,)* }
            }

            /// The problem document, JSON (RFC 9457, with `hint` beside its own members).
            pub fn problem(&self) -> Vec<u8> {
                $crate::problem::document(self.status(), self.slug(), &self.to_string(), self.hint())
            }

            /// Every name, for the reference and its test.
            pub const SLUGS: &'static [&'static str] = &[$($slug,)*];
        }
    };
}

/// A problem document, JSON.
///
/// # Source
/// RFC 9457, with `hint` beside its own members.
pub fn document(status: http::StatusCode, slug: &str, detail: &str, hint: &str) -> Vec<u8> {
    serde_json::json!({
        "type": format!("urn:phala:error:{slug}"),
        "title": slug,
        "status": status.as_u16(),
        "detail": detail,
        "hint": hint,
    })
    .to_string()
    .into_bytes()
}
