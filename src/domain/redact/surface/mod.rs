//! One file for each surface. Structure is read first; what a structure says about a value
//! decides, and patterns only help where it says nothing.

pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod memo;
pub(crate) mod multipart;
pub(crate) mod pairs;
pub(crate) mod target;
pub(crate) mod value;
