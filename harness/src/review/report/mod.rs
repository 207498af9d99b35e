//! A review, told. Pure.

mod brief;
mod html;
mod markdown;
mod text;
mod words;

#[cfg(test)]
mod snapshots;

pub use brief::brief;
pub use html::html;
pub use markdown::markdown;
pub use text::text;
