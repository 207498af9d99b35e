//! A review, told. Pure.

mod html;
mod markdown;
mod text;
mod words;

pub use html::html;
pub use markdown::markdown;
pub use text::text;
