//! Tells people: keeps the incidents, queues what is to be told, and sends it.
//!
//! | file | does |
//! | --- | --- |
//! | `desk` | the book of incidents in a file, shared by the gateway and by `egret alert` |
//! | `spool` | what is to be told, one file each, until it has been |
//! | `channel` | one way to tell: a URL, a server, a program |
//! | `deliver` | goes through the spool: order, pace, patience |
//! | `smtp` | a dialogue with a mail server |

mod channel;
mod deliver;
mod desk;
mod smtp;
mod spool;
#[cfg(test)]
mod tests;

pub use channel::{Channel, OpenFault, SendFault};
pub use deliver::{Deliverer, Delivery};
pub use desk::{Desk, DeskError, DeskRules, Route};
pub use spool::{Spool, Waiting};
