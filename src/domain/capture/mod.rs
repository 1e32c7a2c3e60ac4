//! Exchange capture.
