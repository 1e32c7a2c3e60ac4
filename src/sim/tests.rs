//! The vendors and the fault switches over a real socket.

mod cybrid;
mod faults;
mod hostile;
mod obp;
mod serve_for_hand;
mod wyre;
