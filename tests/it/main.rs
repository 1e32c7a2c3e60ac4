//! x

mod evidence;
