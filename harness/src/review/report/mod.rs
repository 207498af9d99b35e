//! A review, told. Pure.

mod brief;
mod html;
mod markdown;
mod text;
mod words;

pub use brief::brief;
pub use html::html;
pub use markdown::markdown;
pub use text::text;
